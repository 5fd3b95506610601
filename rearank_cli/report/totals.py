"""Totals over the windows of a trace: flaws by kind and by position, tokens, time, the cache."""

from collections.abc import Sequence
from dataclasses import dataclass

from rearank_cli.log import counted
from rearank_cli.records import FLAW_NAMES
from rearank_cli.report.story import Trace
from rearank_cli.reranking.trace import AskTrace


@dataclass(frozen=True)
class Position:
    """The windows at some ranks: how many, how many flawed, passages moved.

    `ranks` are written out, as `10, 21-39`; `first` and `last` are the outermost.
    """

    ranks: str
    first: int
    last: int
    windows: int
    flawed: int
    moved: int


@dataclass(frozen=True)
class Totals:
    """Sums over windows. `flaws` counts windows by kind of flaw; a window may have several.

    Seconds are those from asking to answer, added up: windows run side by side, so that this is
    more than the time that passed. `asked` windows were not in the cache.
    """

    queries: int
    windows: int
    flawed: int
    flaws: dict[str, int]
    places: tuple[Position, ...]
    shortened: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float

    @property
    def asked(self) -> int:
        """The windows that the model had to answer."""
        return self.windows - self.cached


def total(trace: Trace) -> Totals:
    """Add up a whole trace."""
    windows = [window for story in trace.stories.values() for window in story.windows]
    return Totals(
        queries=len(trace.stories),
        windows=len(windows),
        flawed=sum(is_flawed(window) for window in windows),
        flaws={
            name: sum(name in window.flaws.names() for window in windows) for name in FLAW_NAMES
        },
        places=tuple(_places(windows)),
        shortened=sum(window.shortened for window in windows),
        cached=sum(window.cached for window in windows),
        prompt_tokens=sum(window.prompt_tokens for window in windows),
        completion_tokens=sum(window.completion_tokens for window in windows),
        seconds=sum(window.seconds for window in windows),
    )


def is_flawed(window: AskTrace) -> bool:
    """Return whether anything was wrong with a window's answer."""
    return bool(window.flaws.names())


def _places(windows: Sequence[AskTrace]) -> list[Position]:
    """Group the windows by position, from the bottom up, as they run."""
    groups: dict[tuple[int, int, str], list[AskTrace]] = {}
    for window in windows:
        key = (min(window.ranks_before), max(window.ranks_before), window.ranks)
        groups.setdefault(key, []).append(window)
    return [
        Position(
            ranks,
            first,
            last,
            len(group),
            sum(map(is_flawed, group)),
            sum(a != b for each in group for a, b in zip(each.before, each.after, strict=True)),
        )
        for (first, last, ranks), group in sorted(groups.items(), reverse=True)
    ]


def flaw_texts(window: AskTrace) -> list[str]:
    """Return what was wrong with an answer, in words."""
    flaws = window.flaws
    listed = (("missing", flaws.missing), ("repeated", flaws.repeated), ("unknown", flaws.unknown))
    found = [f"{name} {_numbers(numbers)}" for name, numbers in listed if numbers]
    if flaws.truncated:
        found.append("truncated")
    if flaws.no_answer:
        found.append("no answer")
    return found


def asides(window: AskTrace) -> list[str]:
    """Return what was special about an ask, in words: what was shown, what was read."""
    found = []
    if window.shortened:
        found.append(f"passages cut to {window.passage_chars} characters")
    if window.read:
        found.append(f"first {counted(window.read, 'rank')} read")
    return found


def scores_text(window: AskTrace) -> str:
    """Return the scores of an answer by identifier, `[1] 7, [2] none`; empty where it has none."""
    shown = ("none" if score is None else f"{score:.4g}" for score in window.scores)
    return ", ".join(f"[{number}] {score}" for number, score in enumerate(shown, 1))


def _numbers(numbers: Sequence[int], limit: int = 8) -> str:
    shown = " ".join(f"[{number}]" for number in numbers[:limit])
    return shown if len(numbers) <= limit else f"{shown} and {len(numbers) - limit} more"
