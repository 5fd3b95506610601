"""From what the model wrote to a full order of its window."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_OPEN_ANSWER = re.compile(r"<answer>", re.IGNORECASE)
_THINK = re.compile(r"<think>", re.IGNORECASE)
_THINK_END = re.compile(r"</think>", re.IGNORECASE)
_BRACKETED = re.compile(r"\[\s*([0-9]+(?:\s*,\s*[0-9]+)*)\s*\]")
_CHAIN = re.compile(r"[0-9]+(?:\s*>\s*[0-9]+)+")
_NUMBER = re.compile(r"[0-9]+")
# An identifier longer than this names no passage; longer ones could not even become an int.
_MAX_DIGITS = 9


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
    Identifiers count in order, each the first time; unknown ones are dropped and missing ones
    follow in their old order. What was wrong is in `flaws`.
    """
    reading = _read(text, cut and thinks)
    found = _identifiers(reading)
    order = list(dict.fromkeys(number for number in found if 1 <= number <= count))
    missing = [number for number in range(1, count + 1) if number not in set(order)]
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


def _read(text: str, unfinished: bool) -> _Reading:
    ends = list(_THINK_END.finditer(text))
    body_at = ends[-1].end() if ends else 0
    body = text[body_at:]
    answers = list(_ANSWER.finditer(body))
    if answers:
        # "<answer> <answer>[1] > [2]</answer>": the innermost opening tag starts the answer.
        answer = _OPEN_ANSWER.split(answers[-1].group(1))[-1]
        reasoning = text[: body_at + answers[-1].start()]
        return _Reading(_thoughts(reasoning), answer.strip(), True, True)
    if not ends and (_THINK.search(text) or unfinished):
        return _Reading(_thoughts(text), "", False, False)
    parts = _OPEN_ANSWER.split(body)
    return _Reading(
        _thoughts(text[:body_at] + "".join(parts[:-1])), parts[-1].strip(), len(parts) > 1, False
    )


def _thoughts(text: str) -> str:
    return _THINK_END.sub("", _THINK.sub("", text)).strip()


def _identifiers(reading: _Reading) -> list[int]:
    """Return the identifiers of an answer; bare numbers count only where they must be ids."""
    bracketed = [part for match in _BRACKETED.finditer(reading.answer) for part in _split(match[1])]
    if bracketed:
        return bracketed
    if reading.tagged:
        return _split(reading.answer)
    chains = [_split(match[0]) for match in _CHAIN.finditer(reading.answer)]
    return max(chains, key=len, default=[])


def _split(text: str) -> list[int]:
    return [int(match[0][:_MAX_DIGITS]) for match in _NUMBER.finditer(text)]


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
