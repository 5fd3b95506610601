"""From what the model wrote to a full order of its window."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rearank_cli.methods.answers.beginning import Beginning
from rearank_cli.methods.answers.form import Form
from rearank_cli.methods.answers.reading import first_told, readings
from rearank_cli.methods.answers.shapes import identifiers
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws, Ranking


@dataclass(frozen=True, slots=True)
class Permutation:
    """A full order of a window: `order[i]` is the old index (from 0) of the passage now at i."""

    order: tuple[int, ...]
    reasoning: str = ""
    answer: str = ""
    flaws: Flaws = field(default_factory=Flaws)


def parse(text: str, count: int, *, cut: bool = False, thinks: bool = False) -> Permutation:
    """Read an order of `count` passages from a completion; any text gives a full permutation.

    The last complete `<answer>…</answer>` after the reasoning counts; without one, the text after
    `</think>`. Reasoning that never ends is not searched for numbers; `thinks` says that the
    model was asked to reason, so that an untagged text which was `cut` is unfinished reasoning.
    `shapes.identifiers` says what is an order; anything else is `no_answer`. Identifiers count in
    order, each the first time; unknown ones are dropped and missing ones follow in their old
    order. What was wrong is in `flaws`.
    """
    reading, told = first_told(
        text,
        cut and thinks,
        lambda reading: identifiers(reading.answer, count, tagged=reading.tagged) or None,
    )
    found = told or []
    order = list(dict.fromkeys(number for number in found if 1 <= number <= count))
    known = set(order)
    missing = [number for number in range(1, count + 1) if number not in known]
    flaws = Flaws(
        missing=tuple(missing) if found else (),
        repeated=_repeated(found, count),
        unknown=_unknown(found, count),
        truncated=cut and not reading.complete,
        no_answer=not found,
    )
    return Permutation(
        order=tuple(number - 1 for number in [*order, *missing]),
        reasoning=reading.reasoning,
        answer=reading.answer,
        flaws=flaws,
    )


def _repeated(found: Iterable[int], count: int) -> tuple[int, ...]:
    seen: set[int] = set()
    repeated: dict[int, None] = {}
    for number in found:
        if number in seen and 1 <= number <= count:
            repeated[number] = None
        seen.add(number)
    return tuple(repeated)


def _unknown(found: Iterable[int], count: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for number in found if not 1 <= number <= count))


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Read an order from what the model wrote.

    Where the ask wants its first ranks only and the answer begins with them, nothing behind them is
    read: the other passages follow as shown.
    """
    thinks = form.thinks and not completion.reasoning
    count = len(ask.doc_ids)
    if ask.wanted is not None and ask.wanted < count:
        beginning = Beginning(count, ask.wanted, thinks)
        first = beginning.read(completion.text)
        if first:
            return _begun(completion, ask, first, beginning.found)
    cut = completion.finish_reason == "length"
    found = parse(completion.text, count, cut=cut, thinks=thinks)
    return Answer(
        tuple(ask.doc_ids[index] for index in found.order),
        {},
        found.flaws,
        completion.reasoning or found.reasoning,
        found.answer,
    )


def _begun(completion: Completion, ask: Ask, first: Sequence[int], found: Sequence[int]) -> Answer:
    """Return the answer of which the first ranks were read; only their flaws count."""
    count = len(ask.doc_ids)
    flaws = Flaws(repeated=_repeated(found, count), unknown=_unknown(found, count))
    reading = next(readings(completion.text, False))
    return Answer(
        begun(ask.doc_ids, first),
        {},
        flaws,
        completion.reasoning or reading.reasoning,
        reading.answer,
        read=len(first),
    )


def begun(shown: Ranking, first: Sequence[int]) -> Ranking:
    """Return an order of which only the first places are known; the others follow as shown."""
    known = set(first)
    rest = (doc_id for index, doc_id in enumerate(shown) if index not in known)
    return (*(shown[index] for index in first), *rest)
