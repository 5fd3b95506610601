"""What the tables for people say, as text, before any format has its way with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rearank_cli.evaluation.comparison import Comparison, extremes
from rearank_cli.evaluation.inquiry import Report
from rearank_cli.evaluation.significance import ALPHA

T_MARK, RANDOMIZATION_MARK = "†", "‡"
MARKS = (
    f"{T_MARK} and {RANDOMIZATION_MARK}: different from the baseline by the paired t-test and by "
    f"the paired randomization test, p < {ALPHA} after Holm's correction over the runs"
)
COLUMNS = (
    "Δ: difference of the figures; W/T/L: queries won, tied, lost; p: two-sided, after Holm's "
    "correction; d: Cohen's d of the paired differences"
)
EXTREMES = 5
TEXT_CHARS = 100
DIFF_HEADER = ("run", "measure", "query", "baseline", "value", "difference", "text")

DiffRow = tuple[str, str, str, float, float, float, str]
"""Run, measure, query id, the baseline's value, the run's value, the difference, the text."""


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a header and rows of text; `bold` are (row, column), `left` left-aligned columns."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bold: frozenset[tuple[int, int]] = frozenset()
    left: frozenset[int] = frozenset({0})


def number(value: float | None, digits: int, sign: str = "") -> str:
    """Return a number with so many decimals, and a dash where there is none.

    A negative number that rounds to 0 is 0, not -0.
    """
    if value is None or value != value:
        return "–"
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def p_text(p: float | None) -> str:
    """Return a p-value with 4 decimals, never as a flat 0."""
    return "<0.0001" if p is not None and p < 0.0001 else number(p, 4)


def figures_table(report: Report, digits: int) -> Table:
    """Return the figures, one run per row; the best of each measure bold, marks behind."""
    marks = {(item.label, item.measure): _marks(item) for item in report.comparisons}
    columns = [*report.measures, *([report.judged_name] if _has_holes(report) else [])]
    rows = []
    for evaluation in report.evaluations:
        cells = [
            number(value, digits) + marks.get((evaluation.label, name), "")
            for name, value in evaluation.figures.items()
        ]
        if _has_holes(report):
            cells.append(number(report.judged[evaluation.label], digits))
        base = " (baseline)" if evaluation is report.baseline else ""
        rows.append((evaluation.label + base, *cells))
    return Table("", ("run", *columns), tuple(rows), _best(report, digits))


def _has_holes(report: Report) -> bool:
    """Return whether a run has unjudged documents and nobody asked for that measure anyway."""
    asked = report.judged_name in report.measures
    return not asked and any(value < 1 for value in report.judged.values())


def _best(report: Report, digits: int) -> frozenset[tuple[int, int]]:
    """Return the cells of the highest figures, as printed; none where there is one run."""
    best: set[tuple[int, int]] = set()
    if len(report.evaluations) < 2:
        return frozenset()
    for column, name in enumerate(report.measures, 1):
        shown = [round(item.figures[name], digits) for item in report.evaluations]
        if not name.startswith("Num"):
            best |= {(row, column) for row, value in enumerate(shown) if value == max(shown)}
    return frozenset(best)


def _marks(comparison: Comparison) -> str:
    found = ""
    for mark, p in ((T_MARK, comparison.t_test), (RANDOMIZATION_MARK, comparison.randomization)):
        if p.holm is not None and p.holm < ALPHA:
            found += mark
    return found


def comparison_table(report: Report, digits: int) -> Table:
    """Return differences, outcomes, corrected p-values and effect sizes, a row per comparison."""
    rows = tuple(
        (
            item.label,
            item.measure,
            number(item.difference, digits, "+"),
            "/".join(map(str, item.outcomes)),
            p_text(item.t_test.holm),
            p_text(item.randomization.holm),
            number(item.cohens_d, 2, "+"),
        )
        for item in report.comparisons
    )
    base = report.baseline.label if report.baseline else ""
    header = ("run", "measure", "Δ", "W/T/L", "p t-test", "p random.", "d")
    return Table(f"against {base}", header, rows, left=frozenset({0, 1}))


def diff_rows(report: Report, texts: Mapping[str, str]) -> list[DiffRow]:
    """Return the queries that gained and lost most, by run and measure."""
    if report.baseline is None:
        return []
    return [
        (item.label, measure, *change, change.difference, texts.get(change.query_id, ""))
        for item in report.evaluations
        if item is not report.baseline
        for measure in report.measures
        for change in extremes(item, report.baseline, measure, EXTREMES)
    ]


def diff_tables(report: Report, texts: Mapping[str, str], digits: int) -> list[Table]:
    """Return one table per run and measure of the queries that gained and lost most."""
    groups: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for run, measure, query_id, before, after, difference, text in diff_rows(report, texts):
        cells = (number(before, digits), number(after, digits), number(difference, digits, "+"))
        row = (query_id, *cells, *([_short(text)] if texts else []))
        groups.setdefault((run, measure), []).append(row)
    base = report.baseline.label if report.baseline else ""
    return [
        Table(
            f"{measure}: queries that changed most from {base} to {run}",
            ("query", base, run, "Δ", *(["text"] if texts else [])),
            tuple(rows),
            left=frozenset({0, 4}),
        )
        for (run, measure), rows in groups.items()
    ]


def _short(text: str) -> str:
    """Return a query as a table shows it; lines for programs have all of it."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_CHARS else line[: TEXT_CHARS - 1].rstrip() + "…"


def tables(report: Report, digits: int, diff: Mapping[str, str] | None = None) -> list[Table]:
    """Return all tables of a report; with `diff` (texts by query, maybe none) also the changes."""
    found: Sequence[Table] = [figures_table(report, digits)]
    if report.baseline is not None:
        found = [*found, comparison_table(report, digits)]
    return [*found, *(diff_tables(report, diff, digits) if diff is not None else [])]


def footer(report: Report, marked: bool = True) -> list[str]:
    """Return the lines under the tables; `marked` explains the marks in the figures."""
    lines = [*([MARKS, COLUMNS] if marked and report.comparisons else []), *report.notes]
    if _has_holes(report):
        lines.append(f"{report.judged_name} below 1: what nobody judged counts as not relevant")
    strangers = [label for label, value in report.judged.items() if value == 0]
    if strangers:
        lines.append(
            f"{', '.join(strangers)}: {report.judged_name} is 0; are the doc ids of the run and "
            "of the judgements of one kind?"
        )
    return lines
