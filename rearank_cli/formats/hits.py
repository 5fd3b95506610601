"""The hits of one query while its run is read, in little memory."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

_LARGEST = 2**63 - 1


class PackedIds(Sequence[str]):
    """Doc ids that are only passed on, in one string: a sixth of the memory of a tuple of them.

    No id may hold a line end; those of a run's line cannot.
    """

    __slots__ = ("_count", "_text")

    def __init__(self, doc_ids: Iterable[str]) -> None:
        """Pack them."""
        held = list(doc_ids)
        self._count, self._text = len(held), "\n".join(held)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __iter__(self) -> Iterator[str]:
        """Yield them in order."""
        return iter(self._text.split("\n") if self._count else ())

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        """Return one, or a slice of them."""
        return tuple(self)[place]


class Hits:
    """Hits in the order of their lines; `add` refuses a document that is there already.

    While the lines of other queries are read, `pack` them; `add` takes them out again.
    """

    __slots__ = ("_open", "_packed", "_ranks", "_scores")

    def __init__(self) -> None:
        """Start without any."""
        self._open: dict[str, None] | None = {}
        self._packed: Sequence[str] = ()
        self._scores = array("d")
        self._ranks = array("q")

    def add(self, doc_id: str, score: float, rank: int) -> bool:
        """Add a hit; return False for a document that is there already."""
        if self._open is None:
            self._open, self._packed = dict.fromkeys(self._packed), ()
        if doc_id in self._open:
            return False
        self._open[doc_id] = None
        self._scores.append(score)
        # Ranks of more than 64 bits are as good as any other nonsense there.
        self._ranks.append(max(-_LARGEST, min(rank, _LARGEST)))
        return True

    def pack(self) -> None:
        """Hold the ids in one string from now on."""
        if self._open is not None:
            self._packed, self._open = PackedIds(self._open), None

    def ordered(self) -> tuple[list[str], list[float], bool]:
        """Return ids and scores, highest score first, and whether the ranks contradict that.

        Of equal scores the one with the lower rank comes first.
        """
        ids = list(self._packed if self._open is None else self._open)
        scores, ranks = self._scores, self._ranks
        order = sorted(range(len(ids)), key=lambda at: (-scores[at], ranks[at]))
        contradicts = any(ranks[above] > ranks[below] for above, below in pairwise(order))
        return [ids[at] for at in order], [scores[at] for at in order], contradicts
