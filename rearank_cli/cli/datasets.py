"""`rearank datasets`: which collections have a name, and what of them is on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from rearank_cli.errors import RearankError

EXAMPLES = """\b
Examples:
  rearank datasets
  rearank datasets 'beir/*'
  rearank datasets trec-dl
  rearank datasets runs
  rearank datasets runs 'reasonir-gpt4.*'
"""
RUNS = "runs"
HEADS = ("name", "parts", "documents here", "prebuilt index", "download", "index here")


def command(
    pattern: Annotated[
        str,
        typer.Argument(
            help="Part of a name, a pattern with * and ?, or a folder; 'runs': published runs."
        ),
    ] = "*",
    among: Annotated[
        str, typer.Argument(metavar="[RUNS]", help="After 'runs': part of a name, or a pattern.")
    ] = "*",
) -> None:
    """List the collections that have a name, their parts, and the prebuilt index that fits.

    With 'runs': first-stage runs that papers have published, for retrieve --run-of. A table on a
    terminal, tab-separated lines when piped.
    """
    if pattern == RUNS:
        _runs(among)
        return
    if among != "*":
        raise RearankError(f"rearank datasets: expected no further arguments, found {among}")
    if Path(pattern).is_dir():
        _show(HEADS, [_described(pattern)])
        return
    from rearank_cli.collection.listing import known_datasets
    from rearank_cli.lucene.prebuilt import catalogue, local

    prebuilt = catalogue()
    rows: list[tuple[str, ...]] = []
    for dataset in known_datasets(pattern):
        entry = prebuilt.get(dataset.prebuilt or "")
        size = f"{entry.size / 1e9:.2f} GB" if entry else ""
        here = "" if entry is None else "yes" if local(entry) else "no"
        index = (dataset.prebuilt or "", size, here)
        rows.append((dataset.name, dataset.parts, dataset.local, *index))
    if not rows:
        raise RearankError(
            f"expected a name that matches {pattern!r}, found none among the known collections",
            hint="rearank datasets lists them all",
        )
    _show(HEADS, rows)


def _described(folder: str) -> tuple[str, ...]:
    """Return the row of a collection in a folder."""
    from rearank_cli.collection import open_collection

    found = open_collection(folder)
    parts = {"docs": found.docs, "queries": found.read_queries, "qrels": found.read_qrels}
    here = "yes" if found.docs else "-"
    return (folder, ",".join(name for name, part in parts.items() if part), here, "", "", "")


def _runs(pattern: str) -> None:
    from rearank_cli.cli.published import listed

    heads, *rows = listed(pattern)
    if not rows:
        raise RearankError(
            f"expected a name that matches {pattern!r}, found none among the published runs",
            hint="rearank datasets runs lists them all",
        )
    _show(heads, rows)


def _show(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not sys.stdout.isatty():
        for row in (heads, *rows):
            typer.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*heads, box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
