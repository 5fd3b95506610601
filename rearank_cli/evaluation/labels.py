"""Runs in memory or in files, each under a short, distinct label."""

import os
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO
from rearank_cli.formats.packed import KINDS
from rearank_cli.formats.trec_fast import head, read_run_head
from rearank_cli.records import Run

RunLike = Run | str | os.PathLike[str]
"""A run, or the file that it is in."""


def load_run(given: RunLike, wanted: Iterable[str] | None = None, depth: int | None = None) -> Run:
    """Return a run in memory, as far as a measure looks at it: see `trec_fast.read_run_head`.

    Raises `RearankError` with `path:line` for a file that is no run.
    """
    queries = None if wanted is None else frozenset(wanted)
    if isinstance(given, Run):
        return head(given, queries, depth)
    return read_run_head(given, queries, depth)


def label_runs(runs: RunLike | Sequence[RunLike] | Mapping[str, RunLike]) -> dict[str, RunLike]:
    """Return one run or several by label: their own, a file's name, or a run's tag.

    Raises `RearankError` for a file that is named twice.
    """
    if isinstance(runs, Mapping):
        return dict(runs)
    given = [runs] if isinstance(runs, Run | str | os.PathLike) else list(runs)
    files = [os.fspath(each) for each in given if not isinstance(each, Run)]
    names = {source: label for label, source in label_sources(files).items()}
    found: dict[str, RunLike] = {}
    for each in given:
        label = (each.tag or "run") if isinstance(each, Run) else names[os.fspath(each)]
        found[_distinct(label, found)] = each
    return found


def _distinct(label: str, taken: Mapping[str, RunLike]) -> str:
    """Return a label, with a number behind it where it is taken."""
    number, free = 2, label
    while free in taken:
        number, free = number + 1, f"{label}-{number}"
    return free


def label_sources(
    sources: Sequence[str], names: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the files by a short, distinct label: the file's name without its endings.

    `names` are labels that somebody gave to files. Files that share a name are labelled by their
    path. Raises `RearankError` for one named twice, or a label for two.
    """
    for source in sources:
        if sources.count(source) > 1:
            raise RearankError(f"{source}: expected each run once, found it twice")
    for name in names.values():
        if list(names.values()).count(name) > 1:
            raise RearankError(f"{name}=: expected the name of one run, found it for two")
    short = [names.get(source) or _stem(source) for source in sources]
    return {
        source if short.count(name) > 1 and source not in names else name: source
        for source, name in zip(sources, short, strict=True)
    }


def runs_by_label(
    sources: Sequence[str], names: Mapping[str, str] = MappingProxyType({})
) -> tuple[dict[str, RunLike], dict[str, str]]:
    """Return the files by their labels, and the labels by file.

    What comes from a pipe has a number for a name (/dev/fd/63). It is read at once, for that can
    be done but once, and labelled by its tag.
    """
    found: dict[str, RunLike] = {}
    labels: dict[str, str] = {}
    for label, source in label_sources(sources, names).items():
        run = None if os.path.isfile(source) else read_run_head(source)
        tag = run.tag if run and source not in names else ""
        own = _distinct(tag or label, found)
        found[own] = run or source
        labels[source] = own
    return found, labels


def _stem(source: str) -> str:
    if source == STDIO:
        return "stdin"
    name = source.rstrip("/").rsplit("/", 1)[-1]
    for ending in (*KINDS, ".trec", ".run", ".txt"):
        name = name.removesuffix(ending) or name
    return name
