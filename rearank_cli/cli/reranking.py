"""Reranking from opened parts to written files; what `rearank rerank` does after its checks."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearank_cli.cli import interrupt
from rearank_cli.cli.progress import Bar
from rearank_cli.engines.dry import DryEngine
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, check_writable
from rearank_cli.formats.trec import write_run
from rearank_cli.log import note
from rearank_cli.recipes.recipe import Profile
from rearank_cli.records import Engine, Ranking, Run
from rearank_cli.reranking.reranker import Candidates, Reranker, Settings
from rearank_cli.reranking.trace import TraceFile, WindowTrace


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


def take_shard(run: Run, shard: str | None) -> Run:
    """Return the I-th of N slices of a run's queries, for a shard written `I/N`.

    Slices follow each other in the order of the run and differ by one query at most, so that
    the results of all of them, concatenated, are the result for the whole run.
    """
    if shard is None:
        return run
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", shard)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise RearankError(f"--shard: expected I/N with 1 <= I <= N, found {shard!r}")
    ids = list(run.rankings)
    taken = ids[len(ids) * (part - 1) // parts : len(ids) * part // parts]
    return Run(
        {query_id: run.rankings[query_id] for query_id in taken},
        {query_id: run.scores[query_id] for query_id in taken},
        run.tag,
    )


@dataclass(frozen=True)
class Job:
    """What is to be done: the work, how, where to, and what is noted about it."""

    work: Sequence[Candidates]
    profile: Profile
    settings: Settings
    outputs: Outputs
    provenance: Mapping[str, Any]

    def windows(self) -> int:
        """Return how many windows there are to do, at least."""
        return sum(self.settings.calls(len(item.ranking)) for item in self.work)


def rerank(engine: Engine, job: Job, bar: Bar) -> None:
    """Open the engine, do the job, write the run and the trace, close the engine.

    Raises what the engine and the reranker raise; nothing is written then.
    """
    interrupt.run(_rerank(engine, job, bar))
    note(bar.tally.summary(len(job.work)))
    if job.outputs.trace_file:
        note(f"trace: {job.outputs.trace_file}")


async def _rerank(engine: Engine, job: Job, bar: Bar) -> None:
    rankings: dict[str, Ranking] = {}
    trace = TraceFile(job.outputs.trace_file, job.provenance)

    def note_window(window: WindowTrace) -> None:
        trace.add(window)
        bar.advance(window)

    try:
        with bar.counting(job.windows()):
            await engine.open()
            reranker = Reranker(engine, job.profile, job.settings, note_window)
            async with aclosing(reranker.run(job.work)) as results:
                async for result in results:
                    rankings[result.query_id] = result.ranking
                    trace.order(result.traces)
        trace.finish()
        write_run(job.outputs.run, Run.by_rank(rankings, job.outputs.tag))
    finally:
        await engine.close()


def dry_run(engine: DryEngine, job: Job) -> list[tuple[str, str]]:
    """Return what the job would take, as names and values; nothing is asked or written."""

    async def count() -> None:
        async with aclosing(Reranker(engine, job.profile, job.settings).run(job.work)) as results:
            async for _ in results:
                pass

    interrupt.run(count())
    path = max((job.settings.path(len(each.ranking)) for each in job.work), default=0)
    missing = engine.calls - engine.known
    return [
        ("queries", f"{len(job.work)}"),
        ("windows", f"{engine.calls}"),
        ("in the cache", f"{engine.known}"),
        ("to ask", f"{missing}"),
        # Which passages a window shows depends on the answers below it; these are unknown.
        ("prompt tokens, if no passage moves", f"{engine.prompt_tokens}" if engine.tokens else "?"),
        ("windows in the longest chain", f"{path}"),
    ]
