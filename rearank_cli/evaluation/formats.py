"""How tables are written: for a terminal, for Markdown, for LaTeX, and as lines for programs."""

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from rearank_cli.evaluation.inquiry import Report
from rearank_cli.evaluation.tables import DIFF_HEADER, Table, diff_rows, number

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


def write_terminal(handle: TextIO, tables: Sequence[Table], notes: Sequence[str]) -> None:
    """Draw tables for a terminal, as wide as it is."""
    from rich import box
    from rich.console import Console, JustifyMethod
    from rich.table import Table as Drawing
    from rich.text import Text

    width = None if handle.isatty() else 200  # a file has no edge; rich takes 80 for it
    console = Console(file=handle, highlight=False, width=width)
    for table in tables:
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
        console.print(drawing)
    for note in notes:
        console.print(Text(note, style="dim"))


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
