"""The last word of a reranking: a sentence, a line of JSON, a file."""

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rearank_cli import __version__
from rearank_cli.cli import machine
from rearank_cli.cli.names import named_outputs
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, check_writable, write_text
from rearank_cli.log import note

if TYPE_CHECKING:
    from rearank_cli.reranking.files import RunFiles
    from rearank_cli.reranking.summary import Summary

VERSION = 1
"""Of the file; it changes when a field changes its meaning or goes."""


def check_beside(path: str, files: "Sequence[RunFiles]") -> None:
    """Raise `RearankError` unless a summary can be written to `path` beside runs and traces."""
    check_writable(path)
    places = [place for each in files for place in (each.run, each.trace_file) if place]
    others = [os.path.abspath(place) for place in places if place != STDIO]
    if os.path.abspath(path) in others or (path == STDIO and STDIO in places):
        raise RearankError(f"{path}: the run, the trace and the summary need a file each")


def tell_summary(
    summary: "Summary", queries: int, files: "Sequence[RunFiles]", path: str | None
) -> None:
    """Say what was done for all runs together, and write it to `path` if there is one.

    Where there are several runs, `run`, `trace` and `tag` are those of the first.
    """
    counts = {"queries": queries, **summary.counts()}
    traces = [each.trace_file for each in files]
    if machine.is_on():
        machine.tell("done", trace=next(iter(traces), None), **counts)
    else:
        place = named_outputs([each.run for each in files])
        note(f"{place}: {summary.sentence(queries)}" if place else summary.sentence(queries))
        for trace in filter(None, traces):
            note(f"trace: {trace}")
    if path and files:
        first = files[0]
        run = None if first.run == STDIO else first.run
        about = {"summary": VERSION, "rearank": __version__, "tag": first.tag, "run": run}
        with write_text(path) as out:
            content = {**about, "trace": first.trace_file, **counts}
            out.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
