"""The one door from the report to the evaluation room: figures, tests, values by query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rearank_cli.collection import Judgements
from rearank_cli.evaluation import several
from rearank_cli.evaluation.asked import Asked
from rearank_cli.evaluation.evaluate import inquire
from rearank_cli.evaluation.inquiry import Inquiry, Report
from rearank_cli.evaluation.labels import runs_by_label
from rearank_cli.evaluation.measures import DEFAULT, parse_measures
from rearank_cli.evaluation.provenance import file_hash, judgements_hash
from rearank_cli.evaluation.scoring import Scorer
from rearank_cli.evaluation.tables import Table, footer, number, tables
from rearank_cli.records import Ranking, Run

__all__ = [
    "DEFAULT",
    "Asked",
    "Evaluated",
    "Table",
    "file_hash",
    "judgements_hash",
    "measure_rankings",
    "measure_runs",
    "number",
    "runs_by_label",
    "several_tables",
]

DIGITS = 4


@dataclass(frozen=True)
class Evaluated:
    """Figures by run and measure, values by run, measure and query, and the tables about them.

    `outcomes` are queries won, tied and lost against the baseline, by run, in the first measure.
    """

    measures: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float]]
    per_query: Mapping[str, Mapping[str, Mapping[str, float]]]
    outcomes: Mapping[str, tuple[int, int, int]]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    report: Report | None = None

    def value(self, label: str | None, query_id: str) -> float | None:
        """Return a run's value for a query in the first measure; None where it was not judged."""
        return self.per_query.get(label or "", {}).get(self.measures[0], {}).get(query_id)

    def difference(self, label: str, baseline: str | None, query_id: str) -> float | None:
        """Return a query's difference to the baseline in the first measure."""
        ours, theirs = self.value(label, query_id), self.value(baseline, query_id)
        return None if ours is None or theirs is None else ours - theirs


def measure_runs(
    runs: Mapping[str, Run],
    measures: Sequence[str],
    baseline: str | None,
    judgements: Judgements,
    asked: Asked | None = None,
) -> Evaluated:
    """Measure runs by label and compare them with the baseline's label.

    `asked` are the collection's queries, where they are known.

    Raises `RearankError` for a measure or a run that cannot be used.
    """
    request = Inquiry(runs, parse_measures(measures), baseline, asked=asked)
    report = inquire(request, judgements)
    first = report.measures[0]
    return Evaluated(
        measures=report.measures,
        figures={item.label: item.figures for item in report.evaluations},
        per_query={item.label: item.per_query for item in report.evaluations},
        outcomes={
            item.label: (item.outcomes.wins, item.outcomes.ties, item.outcomes.losses)
            for item in report.comparisons
            if item.measure == first
        },
        tables=tuple(tables(report, DIGITS)),
        notes=tuple(footer(report)),
        report=report,
    )


def several_tables(
    parts: Mapping[str, Evaluated], rows: Mapping[str, Mapping[str, str]]
) -> tuple[list[Table], list[str]]:
    """Return the tables of runs by collections and the notes below them.

    `rows` say for each collection which row a run's label belongs to.
    """
    columns = several.corrected_over_all(
        [
            several.Column(name, each.report, rows[name])
            for name, each in parts.items()
            if each.report
        ]
    )
    if not columns:
        return [], []
    return several.tables(columns, DIGITS), several.notes(columns, marked=True)


def measure_rankings(
    variants: Sequence[Mapping[str, Ranking]], measure: str, judgements: Judgements
) -> list[float]:
    """Return the figure of every variant (rankings by query) in one measure."""
    scorer = Scorer(judgements, parse_measures([measure]))
    figures = []
    for variant in variants:
        evaluation = scorer.evaluate("", judgements.allowed(Run.by_rank(variant, "")))
        figures.append(float(evaluation.figures[measure]))
    return figures
