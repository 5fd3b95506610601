"""Sliding windows from the bottom to the top (RankGPT, arXiv 2304.09542): REARANK's way."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from rearank_cli.methods.base import Ask, Hit, Kind, Plan, Result, Stage, check_at_least, ids
from rearank_cli.methods.samples import sampled
from rearank_cli.methods.windows import check_window, windows
from rearank_cli.records import Window


@dataclass(frozen=True, slots=True)
class Sliding:
    """Show `window` passages at once, one window after the other, `stride` ranks apart.

    Each window begins with what the one below brought up. Without a stride it is half the window.
    Each window is asked about `samples` times, from the second on in a shuffled order with
    `shuffle`, and the answers are made one (see `samples`).

    With `top`, only the best so many ranks of the new ranking are wanted in order: then only those
    ranks of a window count that the next window shows, or that are among these best. The best
    `top` are the same as without it; what was not read stands below them in its old order.
    """

    window: int = 20
    stride: int | None = None
    top: int | None = None
    samples: int = 1
    shuffle: bool = False

    name: ClassVar[str] = "sliding"
    kinds: ClassVar[frozenset[Kind]] = frozenset(("order", "scores", "letters"))

    def __post_init__(self) -> None:
        """Raise `RearankError` unless windows of this size and stride reach every hit."""
        check_window(self.window, self.step)
        check_at_least(1, samples=self.samples)
        if self.top is not None:
            check_at_least(1, top=self.top)

    @property
    def repeats(self) -> bool:
        """Whether one prompt is asked several times."""
        return self.samples > 1 and not self.shuffle

    @property
    def step(self) -> int:
        """Ranks from one window to the next."""
        return max(self.window // 2, 1) if self.stride is None else self.stride

    def plan(self, hits: Sequence[Hit]) -> Plan:
        """Yield a stage for each window; a single hit needs none."""
        return sampled(self._plan(hits), self.samples, self.shuffle)

    def _plan(self, hits: Sequence[Hit]) -> Plan:
        current = list(ids(hits))
        places = windows(len(hits), self.window, self.step) if len(hits) > 1 else []
        for place, upper in zip_longest(places, places[1:]):
            shown = tuple(current[place.start : place.stop])
            # The next window shows what rises to the ranks that both share.
            needs = upper.stop - place.start if upper else None
            ask = Ask(shown, needs, wanted=self._wanted(place, needs))
            (answer,) = yield Stage([ask], tuple(current))
            current[place.start : place.stop] = answer.ranking
        return Result(tuple(current))

    def _wanted(self, place: Window, needs: int | None) -> int | None:
        """Return how many ranks of a window count; None for all of them.

        What goes on to the next window does, and what stays where the best `top` are.
        """
        if self.top is None:
            return None
        wanted = max(needs or 0, self.top - place.start)
        return wanted if wanted < place.stop - place.start else None

    def calls(self, hits: int) -> int:
        """Return the number of windows, as often as they are asked about."""
        return self.samples * self.path(hits)

    def path(self, hits: int) -> int:
        """Return the number of windows: each waits for the one below."""
        return len(windows(hits, self.window, self.step)) if hits > 1 else 0
