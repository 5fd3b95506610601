"""Relevance scores that fall strictly, from a ranking and what a method knows."""

import math
from collections.abc import Iterable, Mapping, Sequence

from rearank_cli.records import Run
from rearank_cli.reranking.chain import Reranked

STEP = 2.0**-19
"""By how much neighbours differ at least, as a share of their size, or of 1 where they are smaller:
enough for float32, and for the six decimals of a run's file."""


def by_rank(count: int) -> list[float]:
    """Return 1 for the first of `count` ranks and 1/count for the last, in equal steps."""
    return [(count - rank) / count for rank in range(count)]


def relevance(ranking: Sequence[str], scores: Mapping[str, float]) -> list[float]:
    """Return a score for each rank, best first.

    Without `scores` they are by rank. With them they are the method's own; one that is missing,
    infinite or not below the one before it is lowered to `STEP` below.
    """
    if not scores:
        return by_rank(len(ranking))
    found: list[float] = []
    highest = max((score for score in scores.values() if math.isfinite(score)), default=0.0)
    for doc_id in ranking:
        bound = _below(found[-1]) if found else highest
        score = scores.get(doc_id, -math.inf)
        found.append(min(score, bound) if math.isfinite(score) else bound)
    return found


def _below(score: float) -> float:
    return score - max(abs(score), 1.0) * STEP


def scored_run(results: Iterable[Reranked], tag: str) -> Run:
    """Return the run of some queries' results, in their order.

    Its scores are the method's own where it has any, made to fall strictly (`relevance`); hits that
    it has not scored, such as those below the depth, follow closely under the last one. Elsewhere
    they are by rank: n, n - 1, …, 1.
    """
    found = {each.query_id: each for each in results}
    rankings = {query_id: each.ranking for query_id, each in found.items()}
    run = Run.by_rank(rankings, tag)
    own = {
        query_id: tuple(relevance(each.ranking, each.scores))
        for query_id, each in found.items()
        if each.scores
    }
    return Run(rankings, {**run.scores, **own}, tag)
