"""Independent groups: passages are scored beside a few others (GroupRank, arXiv 2511.11653)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import ClassVar

from rearank_cli.methods.base import Ask, Hit, Kind, Plan, Result, Stage, check_at_least, ids
from rearank_cli.methods.scoring import by_score, completed, mean_scores
from rearank_cli.methods.seeding import shuffled
from rearank_cli.records import Ranking


@dataclass(frozen=True, slots=True)
class Groups:
    """Cut the hits into groups of at most `window`, score them all at once, sort by score.

    With `samples` this is done so many times with other groups, and each passage gets the mean of
    its scores. The first groups follow the first stage's order unless `shuffle` mixes them too;
    all others are shuffled. Groups of one sample differ in size by one at most. A passage without
    any score gets the mean of the others; ties keep the first stage's order.
    """

    window: int = 20
    samples: int = 1
    shuffle: bool = False

    name: ClassVar[str] = "groups"
    repeats: ClassVar[bool] = False
    kinds: ClassVar[frozenset[Kind]] = frozenset(("scores",))

    def __post_init__(self) -> None:
        """Raise `RearankError` for numbers that cannot work."""
        check_at_least(1, window=self.window, samples=self.samples)

    def plan(self, hits: Sequence[Hit]) -> Plan:
        """Yield one stage with the groups of all samples."""
        order = ids(hits)
        asks = [
            Ask(group, sample=sample)
            for sample in range(self.samples if len(order) > 1 else 0)
            for group in self._groups(order, sample)
        ]
        answers = (yield Stage(asks, order)) if asks else []
        found = mean_scores(answers)
        if not found:
            return Result(order)
        scores = completed(hits, found)
        return Result(by_score(hits, scores), scores)

    def _groups(self, order: Ranking, sample: int) -> list[Ranking]:
        if sample or self.shuffle:
            order = shuffled(order, sample)
        count = ceil(len(order) / self.window)
        cuts = [len(order) * part // count for part in range(count + 1)]
        return [order[start:stop] for start, stop in pairwise(cuts)]

    def calls(self, hits: int) -> int:
        """Return the number of groups in all samples."""
        return self.samples * ceil(hits / self.window) if hits > 1 else 0

    def path(self, hits: int) -> int:
        """Return 1: all groups are asked at once."""
        return int(hits > 1)
