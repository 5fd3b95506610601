"""Relevance scores that fall strictly, from a ranking and what a method knows."""

import math
from collections.abc import Mapping, Sequence

STEP = 2.0**-20
"""By how much neighbours differ at least, as a share of their size: enough for float32."""


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
