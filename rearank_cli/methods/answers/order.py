"""From what the model wrote to a full order of its window."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rearank_cli.methods.answers.form import Form
from rearank_cli.methods.answers.reading import first_told
from rearank_cli.methods.answers.shapes import identifiers
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws


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
        unknown=tuple(dict.fromkeys(number for number in found if not 1 <= number <= count)),
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


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Read an order from what the model wrote."""
    found = parse(
        completion.text,
        len(ask.doc_ids),
        cut=completion.finish_reason == "length",
        thinks=form.thinks and not completion.reasoning,
    )
    return Answer(
        tuple(ask.doc_ids[index] for index in found.order),
        {},
        found.flaws,
        completion.reasoning or found.reasoning,
        found.answer,
    )
