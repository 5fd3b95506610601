"""A drawn list, and the statistics of many: how many were kept, and why others were not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rearank_cli.records import Query
from rearank_cli.training.reward import ndcg


class Draw(NamedTuple):
    """One list as it will be shown, with its grades and the best grades of the query."""

    query: Query
    doc_ids: tuple[str, ...]
    grades: tuple[int, ...]
    ideal: tuple[int, ...]

    @property
    def initial(self) -> float:
        """nDCG@10 of the list as shown."""
        return ndcg(self.grades, self.ideal)


@dataclass
class Tally:
    """What became of the queries and the lists."""

    queries: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    drawn: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    grades: Counter[int] = field(default_factory=Counter)
    initial: list[float] = field(default_factory=list)

    @property
    def kept(self) -> int:
        """Lists kept so far."""
        return len(self.initial)

    def keep(self, draw: Draw) -> None:
        """Count a list that is kept."""
        self.grades.update(draw.grades)
        self.initial.append(draw.initial)


def report(tally: Tally, excluded: int = 0) -> Iterator[str]:
    """Yield the statistics, line by line."""
    asides = dict(tally.skipped)
    if excluded:
        asides["excluded"] = excluded
    aside = ", ".join(f"{count} {why}" for why, count in asides.items())
    yield f"queries: {tally.queries}" + (f" ({aside})" if aside else "")
    share = tally.kept / tally.drawn if tally.drawn else 0.0
    yield f"lists: {tally.drawn:,} drawn, {tally.kept:,} kept ({share:.1%})"
    for why, count in tally.dropped.most_common():
        yield f"  dropped {count:,}: {why}"
    grades = ", ".join(f"{grade}: {count:,}" for grade, count in sorted(tally.grades.items()))
    yield f"grades shown: {grades or 'none'}"
    if all(value == 1 for value in tally.initial):
        return  # lists for contrast begin with what is relevant
    yield "initial nDCG@10:"
    bins = Counter(min(int(value * 10), 9) for value in tally.initial)
    most = max(bins.values(), default=1)
    for number in range(10):
        bar = "#" * round(40 * bins[number] / most)
        yield f"  {number / 10:.1f}-{(number + 1) / 10:.1f} {bins[number]:7,} {bar}".rstrip()
