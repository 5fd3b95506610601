"""Rows on a terminal: aligned for people there, tab-separated for programs elsewhere."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

GAP = "  "


def put_rows(out: TextIO, rows: Iterable[Sequence[object]]) -> None:
    """Write rows without heads; the last column may be as long as it is."""
    shown = [[str(cell) for cell in row] for row in rows]
    if not out.isatty():
        out.writelines("\t".join(row) + "\n" for row in shown)
        return
    widths = _widths(shown)
    out.writelines(_line(row, widths) for row in shown)


def put_table(out: TextIO, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows below heads. On a terminal that is too narrow each row takes some lines.

    The first cell is a name, which is never cut: it stands alone, and the others below it.
    """
    if not out.isatty():
        out.writelines("\t".join(row) + "\n" for row in (heads, *rows))
        return
    room = shutil.get_terminal_size().columns
    widths = _widths([heads, *rows])
    if sum(widths) + len(GAP) * (len(widths) - 1) <= room:
        out.writelines(_line(row, widths) for row in (heads, *rows))
        return
    for name, *cells in rows:
        about = "; ".join(
            f"{head}: {cell}" for head, cell in zip(heads[1:], cells, strict=True) if cell
        )
        indent = GAP * 2
        lines = textwrap.wrap(
            about,
            max(room, 20),
            initial_indent=indent,
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,
        )
        out.writelines(f"{line}\n" for line in (name, *lines))


def _widths(rows: Iterable[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return GAP.join(cells).rstrip() + "\n"


def put(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows below heads to stdout."""
    put_table(sys.stdout, heads, rows)
