"""What is measured, and what came out."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rearank_cli.evaluation.asked import Asked
from rearank_cli.evaluation.comparison import Comparison
from rearank_cli.evaluation.conventions import Coverage
from rearank_cli.evaluation.labels import RunLike
from rearank_cli.evaluation.scoring import Evaluation
from rearank_cli.evaluation.style import Ties

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What to measure and how.

    `runs` are by label, in memory or in files; `baseline` is one of the labels; `measures` are
    ir_measures'.
    """

    runs: Mapping[str, RunLike]
    measures: Sequence[Any]
    baseline: str | None = None
    judged_queries_only: bool = False
    drop_unjudged: bool = False
    ties: Ties = Ties.DOCID
    asked: Asked | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What came out, in the order of the inquiry.

    `judged` is the figure of `judged_name` (such as Judged@10) by run; `notes` are sentences that
    belong under the figures. A report shown in a notebook is its tables and notes.
    """

    measures: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    judged_name: str
    judged: Mapping[str, float]
    coverages: tuple[Coverage, ...]
    baseline: Evaluation | None
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """The figure of every measure by run."""
        return {item.label: dict(item.figures) for item in self.evaluations}

    @property
    def per_query(self) -> dict[str, dict[str, dict[str, float]]]:
        """The values behind them, by run, measure and query."""
        return {
            item.label: {name: dict(values) for name, values in item.per_query.items()}
            for item in self.evaluations
        }

    def __repr__(self) -> str:
        """Return the tables and notes as they are printed in Markdown."""
        return self._repr_markdown_()

    def _repr_markdown_(self) -> str:
        from rearank_cli.evaluation.formats import write_markdown
        from rearank_cli.evaluation.tables import footer, tables

        text = io.StringIO()
        write_markdown(text, tables(self, DIGITS), footer(self))
        return text.getvalue()
