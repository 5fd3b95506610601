"""What a strategy is."""

from collections.abc import Generator
from typing import NamedTuple, Protocol

from rearank_cli.records import Ranking, Window


class Shown(NamedTuple):
    """Passages that are shown together, and the slice of the ranking that they come from.

    With a pivot, `doc_ids` begins with it and is one longer than the slice.
    """

    window: Window
    doc_ids: Ranking


Plan = Generator[list[Shown], list[Ranking], Ranking]


class Strategy(Protocol):
    """A module with these three functions."""

    def plan(self, ranking: Ranking, size: int, stride: int) -> Plan:
        """Yield stages of windows, take their new orders, return the new ranking."""
        ...

    def calls(self, hits: int, size: int, stride: int) -> int:
        """Return how many windows `hits` passages take at least."""
        ...

    def path(self, hits: int, size: int, stride: int) -> int:
        """Return how many stages they take at least."""
        ...
