"""One run out of several."""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from rearank_cli.records import Ranking, Run

RRF_K = 60
"""The constant of Cormack et al., who fixed it in a pilot study and found it not critical."""

Weigher = Callable[[Sequence[float]], list[float]]
"""From the falling scores of a ranking to what each of its places adds to a document's sum."""


class Method(StrEnum):
    """How rankings are fused."""

    RRF = "rrf"
    COMBSUM = "combsum"


def fuse(
    runs: Sequence[Run],
    method: Method,
    k: int = RRF_K,
    depth: int | None = None,
    tag: str = "fused",
) -> Run:
    """Fuse runs query by query; a document's score is the sum over the runs that found it.

    `rrf` adds 1 / (k + rank) with ranks from 1 (Cormack, Clarke and Büttcher, "Reciprocal Rank
    Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009). `combsum` adds
    scores scaled to 0..1 within each ranking, (score - min) / (max - min), as `min_max` does
    (CombSUM: Fox and Shaw, "Combination of Multiple Searches", TREC-2, 1994). Equal sums keep the
    order of the first run, then of the next. Queries come in the order in which they are first
    seen; at most `depth` documents of each are kept. The new scores count down to 1.
    """

    def by_rank(scores: Sequence[float]) -> list[float]:
        return [1 / (k + rank) for rank in range(1, len(scores) + 1)]

    weigh: Weigher = by_rank if method is Method.RRF else min_max
    query_ids = dict.fromkeys(query_id for run in runs for query_id in run.rankings)
    rankings = {query_id: _fused(query_id, runs, weigh)[:depth] for query_id in query_ids}
    return Run.by_rank(rankings, tag)


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
