"""Reranking from opened parts to written files; what `rearank rerank` does after its checks."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearank_cli.commands import interrupt
from rearank_cli.commands.progress import Bar, spinner
from rearank_cli.errors import RearankError
from rearank_cli.files import STDIO, check_writable, write_text
from rearank_cli.listwise.prompt import Profile
from rearank_cli.listwise.reranker import Candidates, Reranker, Settings
from rearank_cli.listwise.trace import write_provenance
from rearank_cli.listwise.window import windows
from rearank_cli.log import note
from rearank_cli.records import Engine, Ranking, Run
from rearank_cli.trec import write_run


@dataclass(frozen=True)
class Outputs:
    """Where the run and the trace go; without a trace file it goes beside the run's file.

    Raises `RearankError` when one of them could not be written.
    """

    run: str
    trace: str | None
    tag: str

    def __post_init__(self) -> None:
        """Check both places and the tag."""
        if not re.fullmatch(r"\S+", self.tag):
            raise RearankError(f"--tag: expected a name without spaces, found {self.tag!r}")
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


def default_tag(model: str) -> str:
    """Return the last part of a model's name in lower case, without spaces."""
    return re.sub(r"\s+", "-", Path(model).expanduser().absolute().name.lower())


@dataclass(frozen=True)
class Job:
    """What is to be done: the work, how, where to, and what is noted about it."""

    work: Sequence[Candidates]
    profile: Profile
    settings: Settings
    outputs: Outputs
    provenance: Mapping[str, Any]

    def windows(self) -> int:
        """Return how many windows there are to do."""
        each = self.settings
        return each.passes * sum(
            len(windows(min(each.depth, len(item.ranking)), each.window, each.stride))
            for item in self.work
        )


def rerank(engine: Engine, job: Job) -> None:
    """Open the engine, do the job, write the run and the trace, close the engine.

    Raises what the engine and the reranker raise; nothing is written then.
    """
    interrupt.run(_rerank(engine, job))


async def _rerank(engine: Engine, job: Job) -> None:
    trace_file = job.outputs.trace_file
    rankings: dict[str, Ranking] = {}
    try:
        with spinner("starting the engine"):
            await engine.open()
        with Bar(job.windows()) as bar, write_text(trace_file or os.devnull) as trace:
            write_provenance(trace, job.provenance)
            reranker = Reranker(engine, job.profile, job.settings, bar.advance)
            async for result in reranker.run(job.work):
                rankings[result.query_id] = result.ranking
                trace.writelines(each.to_json() + "\n" for each in result.traces)
            write_run(job.outputs.run, Run.by_rank(rankings, job.outputs.tag))
    finally:
        await engine.close()
    note(bar.tally.summary(len(job.work)))
    if trace_file:
        note(f"trace: {trace_file}")
