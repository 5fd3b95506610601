"""Values of measures for runs, as ir_measures computes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ir_measures

Scores = Mapping[str, Mapping[str, float]]
"""Score by query id and doc id: what ir_measures reads as a run."""

Judgements = Mapping[str, Mapping[str, int]]
"""Relevance by query id and doc id."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run measured: the figure of each measure, and the values by query behind it.

    Measures are named by their text in ir_measures' form and keep the order asked for.
    """

    label: str
    figures: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]


class Scorer:
    """Measures runs against one set of judgements.

    Scores go to ir_measures as they were read, so that ties are broken as trec_eval breaks them.
    Every query of the judgements counts; one that a run lacks gets 0 (`trec_eval -c`).
    """

    def __init__(self, qrels: Judgements, measures: Sequence[Any]) -> None:
        """Prepare the judgements once for all runs."""
        self.qrels = qrels
        self.measures = measures
        self._evaluator = ir_measures.evaluator(measures, qrels)

    def evaluate(self, label: str, scores: Scores) -> Evaluation:
        """Measure one run; queries without judgements are ignored."""
        aggregators = {measure: measure.aggregator() for measure in self.measures}
        per_query: dict[str, dict[str, float]] = {str(measure): {} for measure in self.measures}
        judged = {query_id: scores[query_id] for query_id in scores if query_id in self.qrels}
        for metric in self._evaluator.iter_calc(judged):
            aggregators[metric.measure].add(metric.value)
            per_query[str(metric.measure)][metric.query_id] = metric.value
        figures = {str(measure): float(agg.result()) for measure, agg in aggregators.items()}
        return Evaluation(label, figures, per_query)
