"""A reranked run and its trace, on their way to files."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, check_writable
from rearank_cli.formats.trec import write_run
from rearank_cli.records import Ranking, Run
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.driver import Driver, Listener
from rearank_cli.reranking.trace import AskTrace
from rearank_cli.reranking.tracefile import TraceFile


@dataclass(frozen=True)
class RunFiles:
    """Where the run and the trace go; without a trace file it goes beside the run's file.

    Raises `RearankError` when one of them could not be written.
    """

    run: str
    trace: str | None
    tag: str

    def __post_init__(self) -> None:
        """Check both places and the tag."""
        if not re.fullmatch(r"\S+", self.tag):
            raise RearankError(f"`tag`: expected a name without spaces, found {self.tag!r}")
        check_writable(self.run)
        if self.trace_file:
            check_writable(self.trace_file)
            if os.path.abspath(self.trace_file) == os.path.abspath(self.run):
                raise RearankError(f"{self.run}: the run and the trace need a file each")

    @property
    def trace_file(self) -> str | None:
        """The trace's file; None when the run goes to stdout and no trace was asked for."""
        if self.trace or self.run == STDIO or not Path(self.run).name:
            return self.trace
        path = Path(self.run)
        if path.exists() and not path.is_file():
            return None  # /dev/null and pipes have nothing beside them
        return str(path.with_name(path.name.removesuffix(".trec") + ".trace.jsonl"))


class Tracing(Listener):
    """Writes stages to a trace file, and hands on to another listener."""

    def __init__(self, file: TraceFile, other: Listener) -> None:
        """Put the file in front of the other listener."""
        self._file = file
        self._other = other

    def answered(self, trace: AskTrace, expected: int) -> None:
        """Hand on."""
        self._other.answered(trace, expected)

    def settled(self, traces: Sequence[AskTrace]) -> None:
        """Write, then hand on."""
        self._file.add(traces)
        self._other.settled(traces)


async def rerank_to(
    files: RunFiles,
    driver_for: Callable[[Listener], Driver],
    work: Sequence[Candidates],
    about: Mapping[str, Any],
    listener: Listener,
) -> None:
    """Rerank and write the run and the trace, both in the input's order, when all is done.

    `driver_for` makes the driver with a listener; `about` is the provenance. Raises what the
    driver raises; the files are then as they were, and what was done is in the partial trace.
    """
    rankings: dict[str, Ranking] = {}
    trace = TraceFile(files.trace_file, about)
    try:
        driver = driver_for(Tracing(trace, listener))
        async with aclosing(driver.stream(work)) as results:
            async for _, result in results:
                rankings[result.query_id] = result.ranking
        ordered = {item.query.query_id: rankings[item.query.query_id] for item in work}
        trace.finish(list(ordered))
        write_run(files.run, Run.by_rank(ordered, files.tag))
    except RearankError as error:
        if trace.partial and Path(trace.partial).is_file():
            told = f"what was done is in {trace.partial}"
            error.hint = f"{error.hint}; {told}" if error.hint else told
        raise
    finally:
        trace.close()
