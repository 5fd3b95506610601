"""From the runs that were named to what is reranked, and where it goes."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.names import (
    check_distinct,
    fields_of,
    filled,
    is_pattern,
    named_outputs,
    pattern_for,
)
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, display_name
from rearank_cli.formats.origin import Command, Input, Source, describe
from rearank_cli.formats.trec_fast import read_run_top
from rearank_cli.records import Run
from rearank_cli.reranking.candidates import take_shard
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.files import Job, RunFiles
from rearank_cli.reranking.journal import journal_file
from rearank_cli.reranking.origin import provenance, used_libraries
from rearank_cli.reranking.reranker import Reranker


@dataclass(frozen=True)
class Wanted:
    """What was asked for: runs, the collection's options, and where the results go."""

    context: typer.Context
    runs: Sequence[str]
    named: tuple[str | None, str | None, str | None]
    shard: str | None
    output: str
    output_dir: str | None
    trace: str | None
    tag: str | None
    meta: bool


@dataclass
class Prepared:
    """The jobs that can be done, and the runs that cannot, each with its error."""

    jobs: list[Job] = field(default_factory=list)
    failed: list[tuple[str, RearankError]] = field(default_factory=list)


def runs_and_name(words: Sequence[str], dataset: str | None) -> tuple[list[str], str | None]:
    """Return the runs among the arguments, and the collection where the last one names it.

    What is no file and stands behind a run is a collection's name, as `retrieve` takes it.
    """
    *runs, last = words or [STDIO]
    if not runs or last == STDIO or Path(last).is_file() or last.endswith((".trec", ".run")):
        return list(words), None
    if dataset is not None and dataset != last:
        raise RearankError(f"expected one collection, found two: {last} and {dataset}")
    return runs, last


@dataclass(frozen=True)
class Given:
    """A run that was read, and its collection; or why it could not be."""

    file: str
    run: Run | None = None
    source: Source | None = None
    error: RearankError | None = None


def read_all(wanted: Wanted, depth: int) -> list[Given]:
    """Read the runs, before a model is looked for; of several, those that fail are noted.

    Of the hits below `depth` only the ids are kept. Raises `RearankError` for one run that cannot
    be read, and for outputs that do not go together.
    """
    several = len(wanted.runs) > 1
    if several and STDIO in wanted.runs:
        raise RearankError("expected files, found -", hint="stdin holds one run")
    if several and wanted.trace:
        raise RearankError("`trace`: expected no name for several runs; each has its own")
    pattern_for(wanted.output, wanted.output_dir, len(wanted.runs))
    found = []
    for file in wanted.runs:
        try:
            source = origins.source_for(wanted.context, file, wanted.named)
            run = take_shard(read_run_top(file, depth), wanted.shard)
            found.append(Given(file, run, origins.needed(source, file)))
        except RearankError as error:
            if not several:
                raise
            found.append(Given(file, error=error))
    return found


def prepare(wanted: Wanted, given: list[Given], reranker: Reranker) -> Prepared:
    """Read the texts of the runs; of several, those that lack some are set aside.

    One collection is open at a time, and of passages only what is shown of them is kept. The runs
    are taken out of `given`: what is needed of them is in the jobs.
    """
    several = len(given) > 1
    pattern = pattern_for(wanted.output, wanted.output_dir, len(given))
    maker = _Maker(wanted, reranker, pattern)
    made = Prepared()
    while given:
        each = given.pop(0)
        try:
            made.jobs.append(maker.job(each))
        except RearankError as error:
            if not several:
                raise
            made.failed.append((each.file, error))
    if several or is_pattern(pattern) or wanted.output_dir:
        check_distinct([job.files.run for job in made.jobs], wanted.runs)
    _check_journals(made.jobs, wanted.runs)
    return made


def _check_journals(jobs: Sequence[Job], runs: Sequence[str]) -> None:
    """Raise `RearankError` where finished queries would go into one of the runs to read."""
    read = {os.path.abspath(run) for run in runs if run != STDIO}
    for job in jobs:
        journal = journal_file(job.files.run)
        if journal and os.path.abspath(journal) in read:
            raise RearankError(
                f"{journal}: expected a new file for the finished queries of {job.files.run}, "
                "found one of the runs to read",
                hint="give one of the two another name",
            )


class _Maker:
    """Makes jobs, one run after the other; remembers the last collection."""

    def __init__(self, wanted: Wanted, reranker: Reranker, pattern: str) -> None:
        self._wanted = wanted
        self._reranker = reranker
        self._pattern = pattern
        self._command = origins.command_of(wanted.context)
        self._open: tuple[Source, Any, Source] | None = None

    def job(self, given: Given) -> Job:
        """Return the job of one run; raise what kept it from being read."""
        if given.run is None or given.source is None:
            raise given.error or RearankError(f"{given.file}: cannot be read")
        wanted, reranker = self._wanted, self._reranker
        file, run = given.file, given.run
        texts, known = self._opened(given.source, file)
        work = reranker.candidates(run, texts, display_name(file))
        output = self._pattern
        if is_pattern(output):
            output = filled(output, fields_of(file, run.tag, known.label))
        files = RunFiles(output, wanted.trace, wanted.tag or _tag(output, reranker))
        about = _About(self._command, known, Input(file, run.tag), reranker, work)
        return Job(files, work, about, display_name(file), wanted.meta)

    def _opened(self, source: Source, file: str) -> tuple[Any, Source]:
        if self._open is None or self._open[0] != source:
            self._open = None  # the memory of the last one is free before the next one is read
            texts = origins.opened(source, file)
            self._open = (source, texts, origins.digested(source, texts))
        return self._open[1], self._open[2]


def _tag(output: str, reranker: Reranker) -> str:
    """Return the tag of a run that nobody named: what its file is called, else how it was made."""
    made = f"{Path(reranker.settings.recipe.name).stem}-{reranker.tag}"
    return re.sub(r"\s+", "-", named_outputs([output]) or made)


@dataclass(frozen=True)
class _About:
    """The origin of a reranked run, as far as it is known when it is asked."""

    command: Command
    source: Source
    input: Input
    reranker: Reranker
    work: Sequence[Candidates]

    def __call__(self) -> dict[str, Any]:
        reranker = self.reranker
        own = provenance(reranker.engine, reranker.settings, self.work, reranker.why)
        return describe(self.command, self.source, [self.input], used_libraries(), own)
