"""From scores to a ranking, and how a model's scores are mixed with those of the first stage."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log, sqrt
from typing import NamedTuple

from rearank_cli.methods.base import Answer, Hit, ids
from rearank_cli.records import Ranking

# Two scores are always evenly spaced; three need not be.
EVEN_FROM = 3


class Mixture(NamedTuple):
    """How much the first stage counts; without any number the model's scores alone do.

    `scale` λ: z(first stage) + λ · (score − mean of the scores over the hits). The spread of the
    scores stays: a model that sees no difference changes little. `first_stage` w:
    w · z(first stage) + (1 − w) · z(score).
    """

    scale: float | None = None
    first_stage: float | None = None


def mean_scores(answers: Sequence[Answer]) -> dict[str, float]:
    """Return the mean score of every document that has any, over the answers that scored it."""
    found: dict[str, list[float]] = {}
    for answer in answers:
        for doc_id, score in answer.scores.items():
            found.setdefault(doc_id, []).append(score)
    return {doc_id: sum(scores) / len(scores) for doc_id, scores in found.items()}


def completed(hits: Sequence[Hit], scores: Mapping[str, float]) -> dict[str, float]:
    """Return a score for every hit: one without any gets the mean of the others.

    So an answer that could not be read neither lifts nor drops its passage. One hit has a score at
    least.
    """
    known = [scores[hit.doc_id] for hit in hits if hit.doc_id in scores]
    mean = sum(known) / len(known)
    return {hit.doc_id: scores.get(hit.doc_id, mean) for hit in hits}


def by_score(hits: Sequence[Hit], scores: Mapping[str, float]) -> Ranking:
    """Return the hits by score, best first; ties keep the order of the first stage."""
    return tuple(sorted(ids(hits), key=lambda doc_id: -scores[doc_id]))


def mixed(
    hits: Sequence[Hit], scores: Mapping[str, float], mixture: Mixture
) -> Mapping[str, float]:
    """Return the scores of all hits, of which there are some, mixed with the first stage's."""
    if mixture.scale is None and mixture.first_stage is None:
        return scores
    order = ids(hits)
    first = z_scores(first_stage(hits))
    values = [scores[doc_id] for doc_id in order]
    if mixture.scale is not None:
        mean = sum(values) / len(values)
        made = [z + mixture.scale * (v - mean) for z, v in zip(first, values, strict=True)]
    else:
        weight = mixture.first_stage or 0.0
        own = z_scores(values)
        made = [weight * z + (1 - weight) * v for z, v in zip(first, own, strict=True)]
    return dict(zip(order, made, strict=True))


def first_stage(hits: Sequence[Hit]) -> list[float]:
    """Return the first stage's scores; where they are but ranks, minus the logarithm of the rank.

    Ranks alone fall in even steps, which no retriever's scores do: those fall fast at the top and
    slowly further down, much as the logarithm does. So a run that
    has lost its scores is still mixed as one that has them would be, nearly.
    """
    scores = [hit.score for hit in hits]
    steps = {round(a - b, 6) for a, b in pairwise(scores)}
    even = len(steps) == 1 and steps != {0.0}
    if even and len(scores) >= EVEN_FROM:
        return [-log(rank) for rank in range(1, len(scores) + 1)]
    return scores


def z_scores(values: Sequence[float]) -> list[float]:
    """Return standard scores (population standard deviation); all 0 where values do not differ."""
    if not values:
        return []
    mean = sum(values) / len(values)
    spread = sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    # A spread of rounding errors is none.
    if spread <= 1e-12 * max(1.0, abs(mean)):
        return [0.0] * len(values)
    return [(value - mean) / spread for value in values]
