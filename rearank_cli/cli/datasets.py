"""`rearank datasets`: which collections have a name, and what of them is on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from rearank_cli.cli.drawing import put
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
HEADS = ("name", "parts", "documents here", "prebuilt index", "index here")


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
        put(HEADS, [_described(pattern)])
        return
    from rearank_cli.collection.listing import known_datasets
    from rearank_cli.lucene.prebuilt import catalogue, local

    prebuilt = catalogue()
    rows: list[tuple[str, ...]] = []
    for dataset in known_datasets(pattern):
        entry = prebuilt.get(dataset.prebuilt or "")
        here = ""
        if entry:
            here = "yes" if local(entry) else f"no ({entry.size / 1e9:.2f} GB to fetch)"
        index = (dataset.prebuilt or "", here)
        rows.append((dataset.name, dataset.parts, dataset.local, *index))
    if not rows:
        raise RearankError(
            f"expected a name that matches {pattern!r}, found none among the known collections",
            hint="rearank datasets lists them all",
        )
    put(HEADS, rows)


def _described(folder: str) -> tuple[str, ...]:
    """Return the row of a collection in a folder."""
    from rearank_cli.collection import open_collection

    found = open_collection(folder)
    parts = {"docs": found.docs, "queries": found.read_queries, "qrels": found.read_qrels}
    here = "yes" if found.docs else "-"
    return (folder, ",".join(name for name, part in parts.items() if part), here, "", "")


def _runs(pattern: str) -> None:
    from rearank_cli.cli.published import listed

    heads, *rows = listed(pattern)
    if not rows:
        raise RearankError(
            f"expected a name that matches {pattern!r}, found none among the published runs",
            hint="rearank datasets runs lists them all",
        )
    put(heads, rows)
