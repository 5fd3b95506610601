"""Top-down partitioning: a pivot from the top window, all others compared with it at once.

A. Parry, S. MacAvaney, D. Ganguly: "Top-Down Partitioning for Efficient List-Wise Ranking"
(arXiv 2405.14589, 2024). The top window is ranked; its passage at rank `pivot` (the paper's
k = w/2) is the pivot. The rest is cut into partitions of `window - 1` passages, each shown together
with the pivot, all at once. Passages above the pivot in their partition join those above it in the
top window, and the same is done with these; the others keep their order below the pivot. We always
ask all partitions (the paper may stop early, at a budget of candidates).

That settles the ranks down to the pivot's. Where more of them are wanted (`top`), the same is done
with those below it, so that the best `top` passages are the right ones for any pivot.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.methods.base import (
    Answer,
    Ask,
    Hit,
    Kind,
    Plan,
    Result,
    Stage,
    check_at_least,
    ids,
)
from rearank_cli.methods.samples import sampled
from rearank_cli.records import Ranking


class _Around(NamedTuple):
    """What stands above and below the part of the ranking that is being settled."""

    above: Ranking
    below: Ranking

    def __call__(self, part: Sequence[str]) -> Ranking:
        return (*self.above, *part, *self.below)


_Settling = Generator[Stage, Sequence[Answer], Ranking]


@dataclass(frozen=True, slots=True)
class TopDown:
    """Settle the best `top` of a ranking with windows of `window` passages against a pivot.

    `pivot` is the pivot's rank in the top window; without one it is half the window.
    `samples` and `shuffle` are as in `Sliding`.
    """

    window: int = 20
    pivot: int | None = None
    top: int = 10
    samples: int = 1
    shuffle: bool = False

    name: ClassVar[str] = "topdown"
    kinds: ClassVar[frozenset[Kind]] = frozenset(("order", "scores", "letters"))

    def __post_init__(self) -> None:
        """Raise `RearankError` for numbers that settle nothing."""
        check_at_least(2, window=self.window)
        check_at_least(1, top=self.top, samples=self.samples)
        if not 1 <= self.rank < self.window:
            raise RearankError(
                f"expected a pivot between 1 and {self.window - 1} (the window is {self.window}), "
                f"found {self.pivot}"
            )

    @property
    def repeats(self) -> bool:
        """Whether one prompt is asked several times."""
        return self.samples > 1 and not self.shuffle

    @property
    def rank(self) -> int:
        """The pivot's rank in the top window, from 1."""
        return max(self.window // 2, 1) if self.pivot is None else self.pivot

    def plan(self, hits: Sequence[Hit]) -> Plan:
        """Yield the top window, all partitions, then what rose above the pivot."""
        return sampled(self._plan(hits), self.samples, self.shuffle)

    def _plan(self, hits: Sequence[Hit]) -> Plan:
        ranking = yield from self._settle(ids(hits), self.top, _Around((), ()))
        return Result(ranking)

    def _settle(self, part: Ranking, wanted: int, around: _Around) -> _Settling:
        """Bring the best `wanted` of a part to its top, in order."""
        if len(part) < 2:
            return part
        rest = part[self.window :]
        # The partitions are compared with the pivot; what stands below it may come later.
        needs = self.rank if rest else None
        (answer,) = yield Stage([Ask(part[: self.window], needs)], around(part))
        top = answer.ranking
        if not rest:
            return top
        cut = self.rank - 1
        pivot, above, below = top[cut], list(top[:cut]), list(top[cut + 1 :])
        size = self.window - 1
        partitions = [rest[start : start + size] for start in range(0, len(rest), size)]
        asks = [Ask((pivot, *each)) for each in partitions]
        for each in (yield Stage(asks, around((*top, *rest)))):
            place = each.ranking.index(pivot)
            above += each.ranking[:place]
            below += each.ranking[place + 1 :]
        settled = tuple(above)
        if len(above) > cut:
            inner = _Around(around.above, (pivot, *below, *around.below))
            settled = yield from self._settle(settled, wanted, inner)
        lower, missing = tuple(below), wanted - len(settled) - 1
        if missing > 0:
            inner = _Around((*around.above, *settled, pivot), around.below)
            lower = yield from self._settle(lower, missing, inner)
        return (*settled, pivot, *lower)

    def calls(self, hits: int) -> int:
        """Return the asks when at most a window of passages rise above the pivot, and some do."""
        if hits <= self.window:
            return self.samples * int(hits > 1)
        return self.samples * (2 + ceil((hits - self.window) / (self.window - 1)))

    def path(self, hits: int) -> int:
        """Return 3: top window, partitions, final window."""
        return int(hits > 1) if hits <= self.window else 3
