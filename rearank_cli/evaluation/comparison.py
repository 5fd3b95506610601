"""Runs against a baseline: differences, tests, and the queries behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rearank_cli.evaluation.scoring import Evaluation
from rearank_cli.evaluation.significance import (
    EQUAL,
    Outcomes,
    cohens_d,
    holm,
    outcomes,
    randomization_test,
    t_test,
)


class PValue(NamedTuple):
    """A p-value, raw and corrected by Holm's method over the runs of a comparison."""

    raw: float | None
    holm: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run against the baseline by one measure; `queries` are those that were paired."""

    label: str
    measure: str
    difference: float
    queries: int
    outcomes: Outcomes
    t_test: PValue
    randomization: PValue
    cohens_d: float | None


class Change(NamedTuple):
    """What one query gained (or lost, when negative) against the baseline."""

    query_id: str
    baseline: float
    value: float

    @property
    def difference(self) -> float:
        """The value less the baseline's."""
        return self.value - self.baseline


def compare(evaluations: Sequence[Evaluation], baseline: Evaluation) -> list[Comparison]:
    """Compare every run with the baseline, by measure, run after run.

    The family that Holm's correction covers are the runs compared by one measure.
    """
    others = [item for item in evaluations if item is not baseline]
    by_run: dict[str, list[Comparison]] = {item.label: [] for item in others}
    for measure in baseline.figures:
        for comparison in _compare_by(measure, others, baseline):
            by_run[comparison.label].append(comparison)
    return [comparison for comparisons in by_run.values() for comparison in comparisons]


def _compare_by(
    measure: str, others: Sequence[Evaluation], baseline: Evaluation
) -> list[Comparison]:
    differences = [
        [change.difference for change in changes(item, baseline, measure)] for item in others
    ]
    t_raw = [t_test(values) for values in differences]
    r_raw = [randomization_test(values) for values in differences]
    t_holm, r_holm = holm(t_raw), holm(r_raw)
    return [
        Comparison(
            item.label,
            measure,
            item.figures[measure] - baseline.figures[measure],
            len(differences[index]),
            outcomes(differences[index]),
            PValue(t_raw[index], t_holm[index]),
            PValue(r_raw[index], r_holm[index]),
            cohens_d(differences[index]),
        )
        for index, item in enumerate(others)
    ]


def changes(evaluation: Evaluation, baseline: Evaluation, measure: str) -> list[Change]:
    """Return the change of every query that both have, from the greatest gain to the loss."""
    ours, theirs = evaluation.per_query[measure], baseline.per_query[measure]
    paired = [
        Change(query_id, theirs[query_id], ours[query_id])
        for query_id in theirs
        if query_id in ours
    ]
    return sorted(paired, key=lambda change: (-change.difference, change.query_id))


def extremes(
    evaluation: Evaluation, baseline: Evaluation, measure: str, count: int
) -> list[Change]:
    """Return the `count` queries that gained most and the `count` that lost most."""
    ordered = changes(evaluation, baseline, measure)
    gained = [change for change in ordered if change.difference > EQUAL][:count]
    lost = [change for change in ordered if change.difference < -EQUAL][-count:]
    return gained + lost
