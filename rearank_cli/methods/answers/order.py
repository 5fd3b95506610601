"""From what the model wrote to a full order of its window."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rearank_cli.methods.answers.shapes import identifiers
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_OPEN_ANSWER = re.compile(r"<answer>", re.IGNORECASE)
_NAMES = r"(?:think|thinking|reasoning|thought|seed:think)"
_THINK = re.compile(rf"<{_NAMES}>|\[THINK\]|◁think▷", re.IGNORECASE)
_THINK_END = re.compile(rf"</{_NAMES}>|\[/THINK\]|◁/think▷", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Permutation:
    """A full order of a window: `order[i]` is the old index (from 0) of the passage now at i."""

    order: tuple[int, ...]
    reasoning: str = ""
    answer: str = ""
    flaws: Flaws = field(default_factory=Flaws)


class _Reading(NamedTuple):
    """The parts of an answer: `complete` when it stood in closed <answer> tags."""

    reasoning: str
    answer: str
    tagged: bool
    complete: bool


def parse(text: str, count: int, *, cut: bool = False, thinks: bool = False) -> Permutation:
    """Read an order of `count` passages from a completion; any text gives a full permutation.

    The last complete `<answer>…</answer>` after the reasoning counts; without one, the text after
    `</think>`. Reasoning that never ends is not searched for numbers; `thinks` says that the
    model was asked to reason, so that an untagged text which was `cut` is unfinished reasoning.
    `shapes.identifiers` says what is an order; anything else is `no_answer`. Identifiers count in
    order, each the first time; unknown ones are dropped and missing ones follow in their old
    order. What was wrong is in `flaws`.
    """
    reading, found = _first_order(text, count, cut and thinks)
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


def _first_order(text: str, count: int, unfinished: bool) -> tuple[_Reading, list[int]]:
    """Return the first reading that holds an order; without one, the first reading."""
    first: _Reading | None = None
    for reading in _readings(text, unfinished):
        first = first or reading
        found = identifiers(reading.answer, count, tagged=reading.tagged)
        if found:
            return reading, found
    assert first, "every text has a reading"
    return first, []


def _readings(text: str, unfinished: bool) -> Iterator[_Reading]:
    """Yield the ways to read a text, the likeliest first.

    Where the text ends with the end of reasoning, that end may be a stray one: then the answer
    stands before it, after an earlier end; or it is a complete <answer> right before it, in a text
    whose reasoning was never opened.
    """
    ends = list(_THINK_END.finditer(text))
    at = ends[-1].end() if ends else 0
    yield _read(text[:at], text[at:], unfinished and not ends)
    if not ends:
        return
    if len(ends) > 1:
        start, stop = ends[-2].end(), ends[-1].start()
        yield _read(text[:start], text[start:stop], False)
        return
    before = text[: ends[0].start()]
    closed = before.rstrip().lower().endswith("</answer>")
    if closed and not _THINK.search(before):
        yield _read("", before, False)


def _read(past: str, body: str, unfinished: bool) -> _Reading:
    """Read an answer in `body`; `past` is reasoning that has ended."""
    answers = list(_ANSWER.finditer(body))
    answers = [match for match in answers if match[1].strip()] or answers
    if answers:
        # "<answer> <answer>[1] > [2]</answer>": the innermost opening tag starts the answer.
        answer = _OPEN_ANSWER.split(answers[-1].group(1))[-1]
        reasoning = past + body[: answers[-1].start()]
        return _Reading(_thoughts(reasoning), answer.strip(), True, True)
    opened = _THINK.search(body)
    if opened or unfinished:
        # What stands before reasoning that never ends is not part of it.
        at = opened.start() if opened else 0
        answer = "" if unfinished else body[:at].strip()
        return _Reading(_thoughts(past + body[0 if unfinished else at :]), answer, False, False)
    parts = _OPEN_ANSWER.split(body)
    return _Reading(_thoughts(past + "".join(parts[:-1])), parts[-1].strip(), len(parts) > 1, False)


def _thoughts(text: str) -> str:
    return _THINK_END.sub("", _THINK.sub("", text)).strip()


def _repeated(found: Iterable[int], count: int) -> tuple[int, ...]:
    seen: set[int] = set()
    repeated: dict[int, None] = {}
    for number in found:
        if number in seen and 1 <= number <= count:
            repeated[number] = None
        seen.add(number)
    return tuple(repeated)


def read(completion: Completion, ask: Ask, thinks: bool) -> Answer:
    """Read an order from what the model wrote; `thinks` as in `parse`."""
    found = parse(
        completion.text,
        len(ask.doc_ids),
        cut=completion.finish_reason == "length",
        thinks=thinks and not completion.reasoning,
    )
    return Answer(
        tuple(ask.doc_ids[index] for index in found.order),
        {},
        found.flaws,
        completion.reasoning or found.reasoning,
        found.answer,
    )
