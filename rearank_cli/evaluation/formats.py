"""How tables are written: for a terminal, for Markdown, for LaTeX, and as lines for programs."""

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, TextIO

from rearank_cli.evaluation.inquiry import Report
from rearank_cli.evaluation.tables import DIFF_HEADER, Table, diff_rows, number
from rearank_cli.formats.plainer import carries, plainer

if TYPE_CHECKING:  # rich only where a table is drawn
    from rich.console import Console
    from rich.table import Table as Drawing

_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "Δ": r"$\Delta$",
    "–": "--",
    "…": r"\ldots{}",
    "†": r"\textsuperscript{\textdagger}",
    "‡": r"\textsuperscript{\textdaggerdbl}",
}


WIDE = ("run", "text")
"""Columns that may be folded when a terminal is narrow; a number that is cut is a wrong number."""
NO_EDGE = 200
"""Columns of a table in a file, unless COLUMNS says otherwise; rich takes 80."""


def write_terminal(handle: TextIO, tables: Sequence[Table], notes: Sequence[str]) -> None:
    """Draw tables for a terminal, as wide as it is; COLUMNS says it for a pipe or a file.

    A table that is wider comes in parts, each with the names of its rows. Where the reader's
    encoding has no lines they are ASCII.
    """
    from rich.console import Console
    from rich.text import Text

    columns = os.environ.get("COLUMNS", "")
    width = None if handle.isatty() else int(columns) if columns.isdecimal() else NO_EDGE
    ascii_only = not carries(handle)
    drawn = io.StringIO() if ascii_only else handle
    console = Console(file=drawn, highlight=False, width=width or None)
    for table in tables:
        for part in _fitting(_in_ascii(table) if ascii_only else table, console):
            console.print(_drawing(part))
    for note in notes:
        console.print(Text(plainer(note) if ascii_only else note, style="dim"))
    if isinstance(drawn, io.StringIO) and drawn is not handle:
        handle.write(plainer(drawn.getvalue()))


def _in_ascii(table: Table) -> Table:
    """Return a table whose own signs are ASCII, before its columns are made wide enough."""
    rows = tuple(tuple(map(plainer, cells)) for cells in table.rows)
    return replace(
        table, title=plainer(table.title), header=tuple(map(plainer, table.header)), rows=rows
    )


def _drawing(table: Table) -> "Drawing":
    from rich import box
    from rich.console import JustifyMethod
    from rich.table import Table as Drawing
    from rich.text import Text

    drawing = Drawing(
        box=box.SIMPLE_HEAD, pad_edge=False, title=table.title or None, title_justify="left"
    )
    for index, name in enumerate(table.header):
        side: JustifyMethod = "left" if index in table.left else "right"
        drawing.add_column(Text(name), justify=side, overflow="fold", no_wrap=name not in WIDE)
    for row, cells in enumerate(table.rows):
        drawing.add_row(
            *(
                Text(cell, style="bold" if (row, column) in table.bold else "")
                for column, cell in enumerate(cells)
            )
        )
    return drawing


def _fitting(table: Table, console: "Console") -> Iterator[Table]:
    """Yield a table, or parts of its columns that fit a console side by side with the names.

    A text folds by itself, and a single column cannot be made narrower.
    """
    if "text" in table.header:
        yield table
        return
    names = list(takewhile(table.left.__contains__, range(len(table.header))))
    rest = [column for column in range(len(table.header)) if column not in names]
    boundless = console.options.update(max_width=10 * NO_EDGE)  # or it is what there is room for
    while rest:
        taken = rest[:1]
        for column in rest[1:]:
            wider = _drawing(_part(table, [*names, *taken, column]))
            if console.measure(wider, options=boundless).maximum > console.width:
                break
            taken.append(column)
        yield _part(table, [*names, *taken])
        rest = rest[len(taken) :]


def _part(table: Table, columns: Sequence[int]) -> Table:
    """Return some columns of a table as a table."""
    return Table(
        table.title,
        tuple(table.header[column] for column in columns),
        tuple(tuple(cells[column] for column in columns) for cells in table.rows),
        frozenset((row, columns.index(column)) for row, column in table.bold if column in columns),
        frozenset(columns.index(column) for column in table.left if column in columns),
    )


def write_markdown(handle: TextIO, tables: Sequence[Table], notes: Sequence[str]) -> None:
    """Write pipe tables, then the notes as a list."""
    for table in tables:
        if table.title:
            handle.write(f"\n{_in_markdown(table.title)}\n\n")
        edges = [":--" if column in table.left else "--:" for column in range(len(table.header))]
        lines = [list(map(_in_markdown, table.header)), edges]
        for row, cells in enumerate(table.rows):
            lines.append(
                [
                    f"**{_in_markdown(cell)}**"
                    if (row, column) in table.bold
                    else _in_markdown(cell)
                    for column, cell in enumerate(cells)
                ]
            )
        handle.writelines(f"| {' | '.join(line)} |\n" for line in lines)
    if notes:
        handle.write("\n" + "".join(f"- {_in_markdown(note)}\n" for note in notes))


def _in_markdown(text: str) -> str:
    return re.sub(r"([\\|*_<>`\[\]])", r"\\\1", " ".join(text.split()))


def write_latex(handle: TextIO, tables: Sequence[Table], notes: Sequence[str]) -> None:
    """Write `tabular` environments with booktabs' rules; the notes are comments."""
    handle.write("% needs \\usepackage{booktabs,textcomp}\n")
    for table in tables:
        if table.title:
            handle.write(f"% {' '.join(table.title.split())}\n")
        edges = "".join("l" if column in table.left else "r" for column in range(len(table.header)))
        handle.write(f"\\begin{{tabular}}{{{edges}}}\n\\toprule\n")
        handle.write(" & ".join(map(_in_latex, table.header)) + " \\\\\n\\midrule\n")
        for row, cells in enumerate(table.rows):
            shown = [
                f"\\textbf{{{_in_latex(cell)}}}" if (row, column) in table.bold else _in_latex(cell)
                for column, cell in enumerate(cells)
            ]
            handle.write(" & ".join(shown) + " \\\\\n")
        handle.write("\\bottomrule\n\\end{tabular}\n")
    handle.writelines(f"% {note}\n" for note in notes)


def _in_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def write_lines(
    handle: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str
) -> None:
    """Write a header and rows; a cell is quoted where it must be (CSV) or has no tab (TSV)."""
    if delimiter == "\t":
        for row in (header, *rows):
            handle.write("\t".join(" ".join(str(cell).split()) for cell in row) + "\n")
    else:
        csv.writer(handle, lineterminator="\n").writerows((header, *rows))


def figures_lines(report: Report, digits: int) -> tuple[Sequence[str], list[list[str]]]:
    """Return header and rows: a row per run, or per run and measure where there is a baseline."""
    if report.baseline is None:
        rows = [
            [item.label, *(plain(value, digits) for value in item.figures.values())]
            for item in report.evaluations
        ]
        return ["run", *report.measures], rows
    return COMPARISON_HEADER, _comparison_lines(report, digits)


COMPARISON_HEADER = (
    "run measure value difference wins ties losses t_test_p t_test_p_holm randomization_p "
    "randomization_p_holm cohens_d"
).split()


def _comparison_lines(report: Report, digits: int) -> list[list[str]]:
    found = {(item.label, item.measure): item for item in report.comparisons}
    rows = []
    for evaluation in report.evaluations:
        for measure, value in evaluation.figures.items():
            row = [evaluation.label, measure, plain(value, digits)]
            item = found.get((evaluation.label, measure))
            if item is not None:
                row += [plain(item.difference, digits), *map(str, item.outcomes)]
                row += [plain(p, 6) for p in (*item.t_test, *item.randomization)]
                row += [plain(item.cohens_d, digits)]
            rows.append(row + [""] * (len(COMPARISON_HEADER) - len(row)))
    return rows


def per_query_lines(report: Report, digits: int) -> tuple[Sequence[str], list[list[str]]]:
    """Return a row per query, measure and run, in the order of the judgements."""
    rows = [
        [query_id, measure, item.label, plain(value, digits)]
        for item in report.evaluations
        for measure, values in item.per_query.items()
        for query_id, value in values.items()
    ]
    return ["query", "measure", "run", "value"], rows


def diff_lines(
    report: Report, texts: Mapping[str, str], digits: int
) -> tuple[Sequence[str], list[list[str]]]:
    """Return a row per run, measure and query that changed most."""
    rows = [
        [run, measure, query_id, *(plain(value, digits) for value in values), text]
        for run, measure, query_id, *values, text in diff_rows(report, texts)
    ]
    return DIFF_HEADER, rows


def plain(value: float | None, digits: int) -> str:
    """Return a number for programs; nothing where there is none."""
    return "" if value is None or math.isnan(value) else number(value, digits)
