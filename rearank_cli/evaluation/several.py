"""Runs of several collections, each judged by its own: one table, as papers print it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rearank_cli.evaluation.comparison import Comparison, PValue
from rearank_cli.evaluation.formats import COMPARISON_HEADER, figures_lines, plain
from rearank_cli.evaluation.inquiry import Report
from rearank_cli.evaluation.significance import ALPHA, holm
from rearank_cli.evaluation.tables import (
    RANDOMIZATION_MARK,
    T_MARK,
    Table,
    comparison_table,
    footer,
    number,
)

MEAN = "mean"


@dataclass(frozen=True)
class Column:
    """One collection's report; `systems` says by the label of a run which row it belongs to."""

    collection: str
    report: Report
    systems: Mapping[str, str]

    def figure(self, system: str, measure: str) -> float | None:
        """Return the figure of a row; None where it has no run here."""
        for item in self.report.evaluations:
            if self.systems[item.label] == system:
                return item.figures[measure]
        return None


def corrected_over_all(columns: Sequence[Column]) -> list[Column]:
    """Return the columns with Holm's correction over the comparisons of all of them.

    The family are the comparisons by one measure, of all runs in all collections.
    """
    flat = [(place, item) for place, each in enumerate(columns) for item in each.report.comparisons]
    made: list[list[Comparison]] = [[] for _ in columns]
    for measure in dict.fromkeys(item.measure for _, item in flat):
        family = [(place, item) for place, item in flat if item.measure == measure]
        t_holm = holm([item.t_test.raw for _, item in family])
        r_holm = holm([item.randomization.raw for _, item in family])
        for (place, item), t_value, r_value in zip(family, t_holm, r_holm, strict=True):
            made[place].append(
                replace(
                    item,
                    t_test=PValue(item.t_test.raw, t_value),
                    randomization=PValue(item.randomization.raw, r_value),
                )
            )
    return [
        replace(each, report=replace(each.report, comparisons=tuple(comparisons)))
        for each, comparisons in zip(columns, made, strict=True)
    ]


def systems_of(columns: Sequence[Column]) -> list[str]:
    """Return the rows, in the order in which they come first."""
    return list(dict.fromkeys(system for each in columns for system in each.systems.values()))


def mean(columns: Sequence[Column], system: str, measure: str) -> float | None:
    """Return the mean of a row over all collections; None where it lacks one."""
    values = [each.figure(system, measure) for each in columns]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def tables(columns: Sequence[Column], digits: int) -> list[Table]:
    """Return a table per measure, runs by collections, and the comparisons of each collection."""
    found = [_table(columns, measure, digits) for measure in columns[0].report.measures]
    for each in columns:
        if each.report.comparisons:
            table = comparison_table(each.report, digits)
            found.append(replace(table, title=f"{each.collection}: {table.title}"))
    return found


def _table(columns: Sequence[Column], measure: str, digits: int) -> Table:
    rows, values = [], []
    for system in systems_of(columns):
        figures = [each.figure(system, measure) for each in columns]
        average = mean(columns, system, measure)
        shown = [
            number(value, digits) + _marks(each, system, measure)
            for each, value in zip(columns, figures, strict=True)
        ]
        rows.append((system, *shown, number(average, digits)))
        values.append([*figures, average])
    header = ("run", *(each.collection for each in columns), MEAN)
    return Table(measure, header, tuple(rows), _best(values, digits))


def _marks(column: Column, system: str, measure: str) -> str:
    found = ""
    for item in column.report.comparisons:
        if column.systems[item.label] == system and item.measure == measure:
            for mark, p in ((T_MARK, item.t_test), (RANDOMIZATION_MARK, item.randomization)):
                found += mark if p.holm is not None and p.holm < ALPHA else ""
    return found


def _best(values: Sequence[Sequence[float | None]], digits: int) -> frozenset[tuple[int, int]]:
    """Return the cells with the highest figure of their column; none where there is one row."""
    if len(values) < 2:
        return frozenset()
    best = set()
    for column, figures in enumerate(zip(*values, strict=True), 1):
        shown = [None if value is None else round(value, digits) for value in figures]
        known = [value for value in shown if value is not None]
        best |= {(row, column) for row, value in enumerate(shown) if known and value == max(known)}
    return frozenset(best)


def lines(columns: Sequence[Column], digits: int) -> tuple[list[str], list[list[str]]]:
    """Return header and rows for programs; with baselines a row per collection, run and measure."""
    if any(each.report.baseline is not None for each in columns):
        return ["collection", *COMPARISON_HEADER], list(_comparisons(columns, digits))
    header = ["run", "measure", *(each.collection for each in columns), MEAN]
    rows = [
        [
            system,
            measure,
            *(plain(each.figure(system, measure), digits) for each in columns),
            plain(mean(columns, system, measure), digits),
        ]
        for measure in columns[0].report.measures
        for system in systems_of(columns)
    ]
    return header, rows


def _comparisons(columns: Sequence[Column], digits: int) -> Iterator[list[str]]:
    for each in columns:
        _, rows = figures_lines(each.report, digits)
        for row in rows:
            yield [each.collection, *row]


def as_json(columns: Sequence[Column]) -> dict[str, Any]:
    """Return the figures by measure and run, the comparisons by collection, and the notes."""
    figures = {
        measure: {
            system: {
                **{each.collection: each.figure(system, measure) for each in columns},
                MEAN: mean(columns, system, measure),
            }
            for system in systems_of(columns)
        }
        for measure in columns[0].report.measures
    }
    compared = {
        each.collection: [asdict(item) for item in each.report.comparisons]
        for each in columns
        if each.report.baseline is not None
    }
    return {"figures": figures, "comparisons": compared, "notes": notes(columns, marked=False)}


def notes(columns: Sequence[Column], marked: bool) -> list[str]:
    """Return the lines under the tables; what is true of several collections is said once."""
    told: dict[str, list[str]] = {}
    for each in columns:
        for line in footer(each.report, marked):
            told.setdefault(line, []).append(each.collection)
    return [
        line if len(where) == len(columns) or len(columns) == 1 else f"{', '.join(where)}: {line}"
        for line, where in told.items()
    ]
