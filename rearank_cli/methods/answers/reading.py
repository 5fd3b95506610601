"""The parts of what a model wrote: its reasoning, and where an answer may stand."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_OPEN_ANSWER = re.compile(r"<answer>", re.IGNORECASE)
_NAMES = r"(?:think|thinking|reasoning|thought|seed:think)"
THINK = re.compile(rf"<{_NAMES}>|\[THINK\]|◁think▷", re.IGNORECASE)
THINK_END = re.compile(rf"</{_NAMES}>|\[/THINK\]|◁/think▷", re.IGNORECASE)
# What divides an answer into its parts, as `re.split` keeps it.
PARTS = re.compile(rf"({THINK.pattern}|{THINK_END.pattern}|</?answer>)", re.IGNORECASE)


class Reading(NamedTuple):
    """The parts of an answer: `complete` when it stood in closed <answer> tags."""

    reasoning: str
    answer: str
    tagged: bool
    complete: bool


def first_told(
    text: str, unfinished: bool, find: Callable[[Reading], T | None]
) -> tuple[Reading, T | None]:
    """Return the first reading in which something is found, and that; else the first reading.

    `unfinished` says that the text ends within reasoning, unless an end of it stands there.
    """
    every = list(readings(text, unfinished))
    for reading in every:
        found = find(reading)
        if found is not None:
            return reading, found
    return every[0], None


def readings(text: str, unfinished: bool) -> Iterator[Reading]:
    """Yield the ways to read a text, the likeliest first.

    Where the text ends with the end of reasoning, that end may be a stray one: then the answer
    stands before it, after an earlier end; or it is a complete <answer> right before it, in a text
    whose reasoning was never opened.
    """
    ends = list(THINK_END.finditer(text))
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
    if closed and not THINK.search(before):
        yield _read("", before, False)


def thought(text: str) -> tuple[str, bool]:
    """Return a text up to where its reasoning ends or an answer begins, and whether it does."""
    ends = [THINK_END.search(text), _OPEN_ANSWER.search(text)]
    at = min((end.start() for end in ends if end), default=len(text))
    return text[:at], at < len(text)


def _read(past: str, body: str, unfinished: bool) -> Reading:
    """Read an answer in `body`; `past` is reasoning that has ended."""
    answers = list(_ANSWER.finditer(body))
    answers = [match for match in answers if match[1].strip()] or answers
    if answers:
        # "<answer> <answer>[1] > [2]</answer>": the innermost opening tag starts the answer.
        answer = _OPEN_ANSWER.split(answers[-1].group(1))[-1]
        reasoning = past + body[: answers[-1].start()]
        return Reading(_thoughts(reasoning), answer.strip(), True, True)
    opened = THINK.search(body)
    if opened or unfinished:
        # What stands before reasoning that never ends is not part of it.
        at = opened.start() if opened else 0
        answer = "" if unfinished else body[:at].strip()
        return Reading(_thoughts(past + body[0 if unfinished else at :]), answer, False, False)
    parts = _OPEN_ANSWER.split(body)
    return Reading(_thoughts(past + "".join(parts[:-1])), parts[-1].strip(), len(parts) > 1, False)


def _thoughts(text: str) -> str:
    return THINK_END.sub("", THINK.sub("", text)).strip()
