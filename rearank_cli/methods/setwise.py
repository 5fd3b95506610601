"""Setwise sorting: a model chooses the best of a few passages, and a sorting algorithm goes on.

S. Zhuang, H. Zhuang, B. Koopman, G. Zuccon: "A Setwise Approach for Effective and Highly Efficient
Zero-shot Ranking with Large Language Models" (arXiv 2310.09497, 2024). A choice among a passage
and its `children` takes the place of a comparison of two. Sorting ends when the best `top` are in
order; the others keep the first stage's order below them.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

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
from rearank_cli.methods.heap import Heap
from rearank_cli.records import Ranking

SORTS = ("heap", "bubble")


@dataclass(frozen=True, slots=True)
class Setwise:
    """Sort the best `top` hits to the front; `children` passages are compared with one at a time.

    `sort` is `heap` (a heap in which every node has `children`; nodes beside each other are asked
    about at once while it is built) or `bubble` (windows of `children` + 1 from the bottom up, once
    for each of the best `top`; what was chosen among the same passages before is not asked again).
    """

    children: int = 19
    top: int = 10
    sort: str = "heap"

    name: ClassVar[str] = "setwise"
    repeats: ClassVar[bool] = False
    kinds: ClassVar[frozenset[Kind]] = frozenset(("choice", "order", "scores", "letters"))

    def __post_init__(self) -> None:
        """Raise `RearankError` for numbers that cannot work."""
        check_at_least(1, children=self.children, top=self.top)
        if self.sort not in SORTS:
            raise RearankError(f"expected `sort` to be {' or '.join(SORTS)}, found {self.sort!r}")

    @property
    def window(self) -> int:
        """The most passages in one prompt."""
        return self.children + 1

    def plan(self, hits: Sequence[Hit]) -> Plan:
        """Yield stages until the best `top` are sorted; a single hit needs none."""
        order = ids(hits)
        if len(order) < 2:  # noqa: PLR2004  one is sorted
            return Result(order)
        best = yield from (self._heap(order) if self.sort == "heap" else self._bubble(order))
        return Result(_behind(best, order))

    def _heap(self, order: Ranking) -> Generator[Stage, Sequence[Answer], Ranking]:
        heap = Heap(order, self.children)
        best: list[str] = []
        for level in heap.levels():
            yield from self._sift(heap, level, best, order)
        while len(best) < min(self.top, len(order)):
            best.append(heap.pop())
            yield from self._sift(heap, [0], best, order)
        return tuple(best)

    def _sift(
        self, heap: Heap, nodes: Sequence[int], best: Sequence[str], order: Ranking
    ) -> Generator[Stage, Sequence[Answer], None]:
        """Let passages sink in their parts of the heap, all at once, until they stand right."""
        sinking = [node for node in nodes if len(heap.family(node)) > 1]
        while sinking and len(best) < min(self.top, len(order)):
            asks = [Ask(heap.family(node), needs=1) for node in sinking]
            answers = yield Stage(asks, _behind(best, order))
            fallen = [
                heap.lift(node, answer.ranking[0])
                for node, answer in zip(sinking, answers, strict=True)
            ]
            sinking = [node for node in fallen if node is not None and len(heap.family(node)) > 1]

    def _bubble(self, order: Ranking) -> Generator[Stage, Sequence[Answer], Ranking]:
        current = list(order)
        chosen: dict[frozenset[str], str] = {}
        wanted = min(self.top, len(order))
        for place in range(min(wanted, len(order) - 1)):
            stop = len(current)
            while stop > place + 1:
                start = max(place, stop - self.window)
                shown = tuple(current[start:stop])
                key = frozenset(shown)
                if key not in chosen:
                    (answer,) = yield Stage([Ask(shown, needs=1)], tuple(current))
                    chosen[key] = answer.ranking[0]
                best = chosen[key]
                current[start:stop] = [best, *(each for each in shown if each != best)]
                stop = start + 1
        return tuple(current[:wanted])

    def calls(self, hits: int) -> int:
        """Return the asks when about every passage that sinks in the heap sinks to its bottom."""
        if hits <= 1:
            return 0
        if self.sort == "bubble":
            # From the second time on, half of the windows are known, about.
            each = ceil((hits - 1) / self.children)
            return each + (min(self.top, hits - 1) - 1) * ceil(each / 2)
        heap = Heap(tuple(map(str, range(hits))), self.children)
        built = sum(len(level) for level in heap.levels())
        return built + (min(self.top, hits - 1) - 1) * heap.depth

    def path(self, hits: int) -> int:
        """Return about how many asks follow one another."""
        if hits <= 1 or self.sort == "bubble":
            return self.calls(hits)
        heap = Heap(tuple(map(str, range(hits))), self.children)
        return heap.depth * min(self.top, hits - 1)


def _behind(best: Sequence[str], order: Ranking) -> Ranking:
    """Return the sorted passages, and behind them the others in their old order."""
    known = set(best)
    return (*best, *(doc_id for doc_id in order if doc_id not in known))
