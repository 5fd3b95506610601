"""A heap in which every passage stands above `children` others."""

from rearank_cli.records import Ranking


class Heap:
    """Passages in an array: those below place i are at children · i + 1 and the next places.

    The better ones are on top once every place has been sifted, from the lowest level up.
    """

    def __init__(self, order: Ranking, children: int) -> None:
        """Lay the passages out in their order; nothing is known of them yet."""
        self._items = list(order)
        self._children = children

    def family(self, node: int) -> Ranking:
        """Return the passage at a place and those right below it."""
        first = self._children * node + 1
        below = self._items[first : first + self._children]
        return tuple([*self._items[node : node + 1], *below])

    def levels(self) -> list[list[int]]:
        """Return the places that have others below them, level by level, from the lowest up."""
        levels: list[list[int]] = []
        start, size = 0, 1
        while start * self._children + 1 < len(self._items):
            places = range(start, start + size)
            levels.append([i for i in places if self._children * i + 1 < len(self._items)])
            start, size = start + size, size * self._children
        return levels[::-1]

    @property
    def depth(self) -> int:
        """The number of levels that have others below them."""
        return len(self.levels())

    def lift(self, node: int, best: str) -> int | None:
        """Put the best of a family on its top; return where the one that stood there fell to.

        None means that the best one was on top already.
        """
        family = self.family(node)
        at = family.index(best)
        if at == 0:
            return None
        child = self._children * node + at
        self._items[node], self._items[child] = self._items[child], self._items[node]
        return child

    def pop(self) -> str:
        """Take the top away and put the last passage in its place, from where it has to sink."""
        top, last = self._items[0], self._items.pop()
        if self._items:
            self._items[0] = last
        return top
