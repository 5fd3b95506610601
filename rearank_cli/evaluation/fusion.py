"""One run out of several."""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from rearank_cli.errors import RearankError
from rearank_cli.records import Ranking, Run

if TYPE_CHECKING:  # reading runs takes numpy, which the names of the methods do not need
    from rearank_cli.evaluation.labels import RunLike

RRF_K = 60
"""The constant of Cormack et al., who fixed it in a pilot study and found it not critical."""

Weigher = Callable[[Sequence[float]], list[float]]
"""From the falling scores of a ranking to what each of its places adds to a document's sum."""


class Fusion(StrEnum):
    """How rankings are fused."""

    RRF = "rrf"
    COMBSUM = "combsum"


def fuse(
    runs: "Sequence[RunLike]",
    method: str = "rrf",
    k: int = RRF_K,
    depth: int | None = None,
    tag: str | None = None,
) -> Run:
    """Fuse runs, in memory or in files, query by query; their name is `tag`, or the method's.

    A document's score is the sum over the runs that found it.

    `rrf` adds 1 / (k + rank) with ranks from 1 (Cormack, Clarke and Büttcher, "Reciprocal Rank
    Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009). `combsum` adds
    scores scaled to 0..1 within each ranking, (score - min) / (max - min), as `min_max` does
    (CombSUM: Fox and Shaw, "Combination of Multiple Searches", TREC-2, 1994). Equal sums keep the
    order of the first run, then of the next. Queries come in the order in which they are first
    seen; at most `depth` documents of each are kept. The new scores count down to 1. Raises
    `RearankError` for a method that there is not.

    >>> from rearank_cli import Run, fuse
    >>> words = Run.by_rank({"q1": ("a", "b", "c")}, "bm25")
    >>> dense = Run.by_rank({"q1": ("c", "b", "d")}, "dense")
    >>> fuse([words, dense]).rankings
    {'q1': ('c', 'b', 'a', 'd')}
    """
    from rearank_cli.evaluation.labels import load_run

    if method not in list(Fusion):
        raise RearankError(f"expected `method` to be {' or '.join(Fusion)}, found {method!r}")

    def by_rank(scores: Sequence[float]) -> list[float]:
        return [1 / (k + rank) for rank in range(1, len(scores) + 1)]

    weigh: Weigher = by_rank if method == Fusion.RRF else min_max
    loaded = [load_run(run) for run in runs]
    query_ids = dict.fromkeys(query_id for run in loaded for query_id in run.rankings)
    rankings = {query_id: _fused(query_id, loaded, weigh)[:depth] for query_id in query_ids}
    return Run.by_rank(rankings, tag or str(method))


def _fused(query_id: str, runs: Sequence[Run], weigh: Weigher) -> Ranking:
    parts: dict[str, list[float]] = {}
    for run in runs:
        weights = weigh(run.scores.get(query_id, ()))
        for doc_id, weight in zip(run.rankings.get(query_id, ()), weights, strict=True):
            parts.setdefault(doc_id, []).append(weight)
    # fsum: the sum must not depend on the order of the runs, or ties would.
    sums: Mapping[str, float] = {doc_id: math.fsum(weights) for doc_id, weights in parts.items()}
    return tuple(sorted(sums, key=lambda doc_id: -sums[doc_id]))


def min_max(scores: Sequence[float]) -> list[float]:
    """Scale scores to 0..1; all are 1 where they are equal, for being found at all counts."""
    if not scores:
        return []
    low, high = min(scores), max(scores)
    if low == high:
        return [1.0] * len(scores)
    return [(score - low) / (high - low) for score in scores]
