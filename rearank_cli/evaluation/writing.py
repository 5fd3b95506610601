"""From a report to the text that the user asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rearank_cli.evaluation import formats, provenance, several, tables
from rearank_cli.evaluation.inquiry import Inquiry, Report
from rearank_cli.evaluation.several import Column
from rearank_cli.evaluation.style import Format, Style
from rearank_cli.log import note

DRAWN = {
    Format.TABLE: formats.write_terminal,
    Format.MARKDOWN: formats.write_markdown,
    Format.LATEX: formats.write_latex,
}
DELIMITERS = {Format.TSV: "\t", Format.CSV: ","}


def write_report(
    handle: TextIO, report: Report, request: Inquiry, origin: Mapping[str, Any], style: Style
) -> None:
    """Write a report; notes that have no place in the format go to stderr."""
    if style.format is Format.JSON:
        content = provenance.as_json(report, request, origin)
        if style.per_query:
            content["per_query"] = report.per_query
        if style.diff is not None:
            content["diff"] = provenance.diff_json(report, style.diff)
        handle.write(provenance.dump(content))
    elif style.format in DRAWN:
        drawn = tables.tables(report, style.digits, style.diff)
        DRAWN[style.format](handle, drawn, tables.footer(report))
    else:
        _write_lines(handle, report, style)
        for text in tables.footer(report, marked=False):
            note(text)


def write_several(handle: TextIO, columns: Sequence[Column], style: Style) -> None:
    """Write the reports of several collections as one table, with the mean over them."""
    corrected = several.corrected_over_all(columns)
    if style.format is Format.JSON:
        handle.write(provenance.dump(several.as_json(corrected)))
    elif style.format in DRAWN:
        drawn = several.tables(corrected, style.digits)
        DRAWN[style.format](handle, drawn, several.notes(corrected, marked=True))
    else:
        header, rows = several.lines(corrected, style.digits)
        formats.write_lines(handle, header, rows, DELIMITERS[style.format])
        for text in several.notes(corrected, marked=False):
            note(text)


def _write_lines(handle: TextIO, report: Report, style: Style) -> None:
    if style.per_query:
        header, rows = formats.per_query_lines(report, style.digits)
    elif style.diff is not None:
        header, rows = formats.diff_lines(report, style.diff, style.digits)
    else:
        header, rows = formats.figures_lines(report, style.digits)
    formats.write_lines(handle, header, rows, DELIMITERS[style.format])
