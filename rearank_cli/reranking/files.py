"""A reranked run and its trace, on their way to files."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, TRACE_ENDING, beside, check_writable
from rearank_cli.formats.locks import locked
from rearank_cli.formats.origin import of_digest, write_origin
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Listener
from rearank_cli.reranking.journal import Journal, journal_file
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
    def lock(self) -> str:
        """Whose lock says that a command writes these files."""
        return self.run if self.run != STDIO else self.trace_file or STDIO

    @property
    def trace_file(self) -> str | None:
        """The trace's file; None when the run goes to stdout and no trace was asked for."""
        return self.trace or beside(self.run, TRACE_ENDING)


@dataclass(frozen=True)
class Job:
    """One run to rerank: its queries, and where the new run goes.

    `about` returns the origin, as far as it is known when it is asked; with `meta` it is also
    written beside the run. `name` is what messages call it.
    """

    files: RunFiles
    work: Sequence[Candidates]
    about: Callable[[], Mapping[str, Any]]
    name: str = ""
    meta: bool = True


@dataclass(frozen=True)
class Failure:
    """A run that could not be reranked, and why."""

    job: Job
    error: RearankError


class _Writing:
    """One job on its way: what is done of it is in its journal, and in its trace."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.trace = TraceFile(job.files.trace_file, job.about())
        self.error: RearankError | None = None
        self.complete = False
        self.journal = Journal(journal_file(job.files.run), job.files.tag)

    def add(self, result: Reranked) -> None:
        """Note a query's result; when it was the last one, write the files."""
        self.journal.add(result)
        if len(self.journal) == len(self.job.work) and self.error is None:
            self.finish()

    def finish(self) -> None:
        """Write the trace, the origin and the run, in this order: the run is what others need."""
        job = self.job
        ids = [item.query.query_id for item in job.work]
        digest = self.journal.digest(ids)
        about = of_digest(job.about(), job.files.tag, digest, job.files.run)
        self.trace.finish(ids, about)
        if job.meta:
            write_origin(job.files.run, about)
        self.journal.finish(ids, job.files.run)
        self.close()
        self.complete = True

    def close(self) -> None:
        """Let go of the files."""
        self.trace.close()
        self.journal.close()

    def told(self, error: RearankError) -> RearankError:
        """Return an error with a word on where the finished part of the run and the trace are."""
        parts = [self.journal.partial, self.trace.partial]
        if there := [part for part in parts if part and Path(part).is_file()]:
            told = f"what was done is in {' and '.join(there)}"
            error.hint = f"{error.hint}; {told}" if error.hint else told
        return error


class _Router(Listener):
    """Leads stages and failures to the jobs they belong to, and hands on to another listener."""

    def __init__(self, owners: Sequence[_Writing], other: Listener, alone: bool) -> None:
        self._owners = owners
        self._other = other
        self._alone = alone

    def answered(self, trace: AskTrace, expected: int) -> None:
        """Hand on."""
        self._other.answered(trace, expected)

    def taken_back(self, asks: int) -> None:
        """Hand on."""
        self._other.taken_back(asks)

    def stage(self, position: int, traces: Sequence[AskTrace]) -> None:
        """Write, then hand on."""
        self._owners[position].trace.add(traces)
        self._other.stage(position, traces)

    def failed(self, position: int, error: RearankError) -> bool:
        """Note the first failure of a job; the other jobs go on."""
        owner = self._owners[position]
        owner.error = owner.error or error
        return not self._alone

    def abandoned(self, position: int) -> bool:
        """Tell whether the job of this query has failed."""
        return self._owners[position].error is not None


async def rerank_to(
    jobs: Sequence[Job], driver_for: Callable[[Listener], Driver], listener: Listener
) -> list[Failure]:
    """Rerank runs in one queue; write each one's files as soon as it is complete.

    `driver_for` makes the driver with a listener. Queries are in the order of the input. A run
    with a query that fits no model is returned with its error, and the others go on; a single run
    raises it. Raises what the driver raises beside that; the files of runs that are not complete
    are then as they were, and what was done of them is in their journals and partial traces.
    """
    with ExitStack() as held:
        for job in jobs:
            held.enter_context(locked(job.files.lock))
        return await _rerank_to(jobs, driver_for, listener)


async def _rerank_to(
    jobs: Sequence[Job], driver_for: Callable[[Listener], Driver], listener: Listener
) -> list[Failure]:
    writings = [_Writing(job) for job in jobs]
    owners = [writing for writing in writings for _ in writing.job.work]
    work = [item for job in jobs for item in job.work]
    try:
        driver = driver_for(_Router(owners, listener, len(jobs) == 1))
        async with aclosing(driver.stream(work)) as results:
            async for position, result in results:
                owners[position].add(result)
        for writing in writings:
            if not writing.job.work:  # a slice may be empty
                writing.finish()
    except RearankError as error:
        raise _with_rest(error, writings) from error.__cause__
    finally:
        for writing in writings:
            writing.close()
    return [Failure(each.job, each.told(each.error)) for each in writings if each.error]


def _with_rest(error: RearankError, writings: Sequence[_Writing]) -> RearankError:
    """Return the error that ended all, with what is done all the same."""
    if len(writings) == 1:
        return writings[0].told(error)
    done = sum(writing.complete for writing in writings)
    told = f"{done} of {len(writings)} runs are complete; the same command goes on with the others"
    error.hint = f"{error.hint}; {told}" if error.hint else told
    return error
