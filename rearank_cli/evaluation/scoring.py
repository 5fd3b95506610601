"""Values of measures for runs, as ir_measures computes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from subprocess import SubprocessError
from typing import Any

import ir_measures

from rearank_cli.collection.judgements import Grades
from rearank_cli.errors import RearankError
from rearank_cli.records import Run

LOWEST_USABLE = 0
"""Below this as its highest relevance, a query is kept from trec_eval's code (9.0.4), which makes
room for `highest + 1` levels of relevance: below -1 it crashes, at -1 it was seen to crash, to loop
for ever, or to refuse. Such a query has nothing relevant, so that its values are 0 without it."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run measured: the figure of each measure, and the values by query behind it.

    Measures are named by their text in ir_measures' form and keep the order asked for; queries
    keep the order of the judgements.
    """

    label: str
    figures: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]


class Scorer:
    """Measures runs against one set of judgements.

    Scores go to ir_measures as they were read, so that ties are broken as trec_eval breaks them.
    `complete`: every query of the judgements counts, one that a run lacks as 0 (`trec_eval -c`);
    else only those count that the run has too (`trec_eval` without `-c`).
    """

    def __init__(self, judgements: Grades, measures: Sequence[Any], complete: bool = True) -> None:
        """Prepare the judgements once for all runs."""
        self.judgements = judgements
        self.measures = measures
        self.complete = complete
        usable = {
            query_id: judged
            for query_id, judged in judgements.items()
            if max(judged.values(), default=0) >= LOWEST_USABLE
        }
        self._evaluator = ir_measures.evaluator(measures, usable)
        self._usable = usable

    def evaluate(self, label: str, run: Run) -> Evaluation:
        """Measure one run; queries without judgements are ignored.

        Raises `RearankError` where a program that ir_measures calls for a measure fails.
        """
        scores = {
            query_id: dict(zip(run.rankings[query_id], run.scores[query_id], strict=True))
            for query_id in run.rankings
            if query_id in self._usable
        }
        # ir_measures adds up in the order in which it yields; the same order gives the same bits.
        totals = {measure: measure.aggregator() for measure in self.measures}
        found: dict[str, dict[str, float]] = {str(measure): {} for measure in self.measures}
        for query_id, measure, value in self._values(scores):
            if self.complete or query_id in run.rankings:
                totals[measure].add(value)
                found[str(measure)][query_id] = value
        figures = {str(measure): float(total.result()) for measure, total in totals.items()}
        per_query = {
            name: {query_id: values[query_id] for query_id in self.judgements if query_id in values}
            for name, values in found.items()
        }
        return Evaluation(label, figures, per_query)

    def _values(self, scores: Mapping[str, Mapping[str, float]]) -> list[tuple[str, Any, float]]:
        try:
            values = [
                (metric.query_id, metric.measure, float(metric.value))
                for metric in self._evaluator.iter_calc(scores)
            ]
        except (OSError, ValueError, ArithmeticError, RuntimeError, SubprocessError) as error:
            names = ", ".join(str(measure) for measure in self.measures)
            raise RearankError(
                f"one of {names} cannot be computed: {error}",
                hint="measure them one by one to find which; ERR@k and nDCG(dcg='exp-log2')@k are "
                "computed by gdeval, a Perl program that knows no doc ids with spaces",
            ) from error
        values += [
            (query_id, measure, float(measure.DEFAULT))
            for query_id in self.judgements
            if query_id not in self._usable
            for measure in self.measures
        ]
        return values
