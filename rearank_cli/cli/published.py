"""Runs that papers have published: fetched by `retrieve --run-of`, listed by `datasets runs`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rearank_cli.cli.names import prefix_of
from rearank_cli.formats.files import check_writable
from rearank_cli.log import counted, note

if TYPE_CHECKING:
    from rearank_cli.collection.collection import Collection as Collection
    from rearank_cli.formats.origin import Input

Rows = list[tuple[str, ...]]


def write_published(
    name: str,
    collection: "Collection | None",
    exclude: str | None,
    exclude_self: bool,
    hits: int,
    output: str,
    about: "Callable[[str, Sequence[Input]], Mapping[str, Any]] | None",
) -> None:
    """Fetch a published run and write it, held against a collection if there is one.

    A file is a run from elsewhere, which gets an origin by this. `about` returns it, given the name
    of the collection that the run was published for, and the file that it was read from.
    """
    from rearank_cli.collection.published import check_ids, narrowed, published_run
    from rearank_cli.formats.exclusions import merged, read_exclusions
    from rearank_cli.formats.origin import Input, write_run_and_origin
    from rearank_cli.formats.trec import read_run

    check_writable(output)
    entry, run = (None, read_run(name)) if Path(name).is_file() else published_run(name)
    made_for = entry.collection if entry else ""
    inputs = [] if entry else [Input(name, run.tag)]
    without = read_exclusions(exclude) if exclude else {}
    if exclude_self:
        without = merged(without, {each: frozenset([each]) for each in run.rankings})
    if collection:
        check_ids(name, run, collection)
        without = merged(without, collection.excluded())
    run, dropped = narrowed(run, without, hits)
    write_run_and_origin(output, run, about(made_for, inputs) if about else None)
    lines = sum(map(len, run.rankings.values()))
    if entry:
        note(f"{name}: {entry.description}; {entry.source}; licence: {entry.licence}")
    told = f"{counted(len(run.rankings), 'query')}, {counted(lines, 'hit')}" + _excluded(dropped)
    note(prefix_of(output) + told)
    if not collection:
        note(f"ids were not checked; -d {made_for or 'NAME'} does so")


def _excluded(dropped: int) -> str:
    return f", {counted(dropped, 'excluded document')} left out" if dropped else ""


def listed(pattern: str) -> Rows:
    """Return the rows of the published runs that match a pattern, the names of columns first."""
    from rearank_cli.collection.published import matching

    heads = ("run", "collection", "what it is", "source", "licence", "here")
    rows = [
        (
            entry.name,
            entry.collection,
            entry.description,
            entry.source,
            entry.licence,
            "yes" if entry.place.is_file() else f"{entry.download.size / 1e6:.1f} MB",
        )
        for entry in matching(pattern)
    ]
    return [heads, *rows]
