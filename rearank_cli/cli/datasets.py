"""`rearank datasets`: which collections have a name, and what of them is on this machine."""

import sys
from typing import Annotated

import typer

from rearank_cli.errors import RearankError

EXAMPLES = """\b
Examples:
  rearank datasets
  rearank datasets 'beir/*'
  rearank datasets trec-dl
"""


def command(
    pattern: Annotated[
        str, typer.Argument(help="Part of a name, or a pattern with * and ?.")
    ] = "*",
) -> None:
    """List the collections that have a name, their parts, and the prebuilt index that fits.

    A table on a terminal, tab-separated lines when piped.
    """
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
    _show(rows)


def _show(rows: list[tuple[str, ...]]) -> None:
    heads = ("name", "parts", "documents here", "prebuilt index", "download", "index here")
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
