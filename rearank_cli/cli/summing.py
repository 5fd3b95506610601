"""The last word of a reranking: a sentence, a line of JSON, a file."""

import json
import os
from typing import TYPE_CHECKING

from rearank_cli import __version__
from rearank_cli.cli import machine
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, check_writable, write_text
from rearank_cli.log import note

if TYPE_CHECKING:
    from rearank_cli.reranking.files import RunFiles
    from rearank_cli.reranking.summary import Summary

VERSION = 1
"""Of the file; it changes when a field changes its meaning or goes."""


def check_beside(path: str, files: "RunFiles") -> None:
    """Raise `RearankError` unless a summary can be written to `path` beside a run and a trace."""
    check_writable(path)
    others = [place for place in (files.run, files.trace_file) if place and place != STDIO]
    if os.path.abspath(path) in map(os.path.abspath, others) or path == files.run == STDIO:
        raise RearankError(f"{path}: the run, the trace and the summary need a file each")


def tell_summary(summary: "Summary", queries: int, files: "RunFiles", path: str | None) -> None:
    """Say what was done, and write it to `path` if there is one."""
    counts = {"queries": queries, **summary.counts()}
    if machine.is_on():
        machine.tell("done", trace=files.trace_file, **counts)
    else:
        note(summary.sentence(queries))
        if files.trace_file:
            note(f"trace: {files.trace_file}")
    if path:
        run = None if files.run == STDIO else files.run
        about = {"summary": VERSION, "rearank": __version__, "tag": files.tag, "run": run}
        with write_text(path) as out:
            content = {**about, "trace": files.trace_file, **counts}
            out.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
