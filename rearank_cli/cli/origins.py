"""Which collection a command means: the one that was named, else the one that a run knows."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rearank_cli.errors import RearankError
from rearank_cli.log import note

if TYPE_CHECKING:
    from rearank_cli.collection.collection import Collection
    from rearank_cli.formats.origin import Command, Source

NoMeta = Annotated[
    bool,
    typer.Option(
        "--meta/--no-meta", help="Write the origin of the run beside it, as FILE.meta.yml."
    ),
]
PLACES = {"name", "dataset", "corpus", "corpus_from", "queries", "qrels", "source", "runs", "quiet"}
"""Parameters that an origin tells elsewhere, resolved."""


def command_of(context: typer.Context) -> "Command":
    """Return the running command, with all its settings and the variables that it read."""
    from rearank_cli.formats.origin import Command

    environment = {
        name: os.environ[name]
        for parameter in context.command.params
        if _origin_of(context, parameter.name) == "ENVIRONMENT"
        for name in _variables(parameter)
        if name in os.environ
    }
    settings = {
        name: value
        for name, value in context.params.items()
        if name not in PLACES and value is not None and value != ()
    }
    return Command(context.info_name or "", sys.argv[1:], environment, settings)


def _variables(parameter: Any) -> list[str]:
    named = parameter.envvar
    return [named] if isinstance(named, str) else list(named or ())


def _origin_of(context: typer.Context, name: str | None) -> str:
    found = context.get_parameter_source(name or "")
    return found.name if found else ""


def typed(context: typer.Context, name: str) -> bool:
    """Tell whether a parameter was typed, not taken from the environment or a default."""
    return _origin_of(context, name) == "COMMANDLINE"


def source_for(context: typer.Context, run: str, named: Sequence[str | None]) -> "Source | None":
    """Return the collection of a command, or None where nothing says which.

    `named` are what the options say: dataset, corpus, queries, qrels, as far as the command has
    them. What was typed counts; else what the run's origin says, which is told; else what the
    environment says.
    """
    from rearank_cli.collection.source import check_there
    from rearank_cli.formats.origin import short_path, source_of

    if _is_named(context, named):
        return _resolved(named)
    try:
        known = source_of(run)
        if known:
            check_there(*known)
    except RearankError:
        if any(named):
            return _resolved(named)
        raise
    if known is None:
        return _resolved(named) if any(named) else None
    source, place = known
    note(f"collection: {source.name}, from {short_path(place)}")
    return source


def source_of_trace(
    context: typer.Context, trace: str, about: Mapping[str, Any], named: Sequence[str | None]
) -> "Source | None":
    """Return the same for a trace, whose first line `about` tells the origin."""
    from rearank_cli.collection.source import check_there
    from rearank_cli.formats.origin import source_in

    if _is_named(context, named) or not isinstance(about.get("collection"), dict):
        return _resolved(named) if any(named) else None
    source = source_in(about)
    try:
        check_there(source, trace)
    except RearankError as error:
        if any(named):
            return _resolved(named)
        note(f"{error.message}; {error.hint}")
        return None
    note(f"collection: {source.name}, from {trace}")
    return source


@dataclass(frozen=True)
class Sourced:
    """Runs of one collection, or of none that is known."""

    source: "Source | None"
    runs: list[str]


def by_source(
    context: typer.Context, runs: Sequence[str], named: Sequence[str | None]
) -> list[Sourced]:
    """Return the runs by their collection, in their order.

    A run that knows none joins the others where these have but one.
    """
    groups: dict[tuple[str | None, ...] | None, Sourced] = {}
    for run in runs:
        source = source_for(context, run, named)
        place = (source.dataset, source.corpus, source.queries, source.qrels) if source else None
        groups.setdefault(place, Sourced(source, [])).runs.append(run)
    if None in groups and len(groups) == 2:
        (known,) = (each for place, each in groups.items() if place is not None)
        return [Sourced(known.source, list(runs))]
    return list(groups.values())


def _is_named(context: typer.Context, named: Sequence[str | None]) -> bool:
    """Tell whether the collection was said on the command line, as an option or as an argument."""
    options = ("dataset", "corpus", "queries", "qrels")
    if any(typed(context, name) for name in options):
        return True
    return bool(named and named[0] and named[0] != context.params.get("dataset"))


def _resolved(named: Sequence[str | None]) -> "Source":
    from rearank_cli.collection.source import resolved

    dataset, corpus, queries, qrels = (*named, None, None, None, None)[:4]
    return resolved(dataset, corpus, queries, qrels)


def needed(source: "Source | None", run: str) -> "Source":
    """Return the source; raise `RearankError` where there is none."""
    if source is None:
        raise RearankError(
            f"{'<stdin>' if run == '-' else run}: expected a collection, found none",
            hint="name it with -d, for example -d demo, or its files with --corpus and --queries",
        )
    return source


def opened(source: "Source", run: str = "") -> "Collection":
    """Open a collection; warn where its queries are not those that `run` was made for."""
    from rearank_cli.collection import open_collection
    from rearank_cli.collection.source import warn_of_changes

    collection = open_collection(
        source.dataset, source.corpus, source.queries, source.qrels, source.fields
    )
    if source.digests and run:
        warn_of_changes(source, collection, run)
    return collection


def digested(source: "Source", collection: "Collection") -> "Source":
    """Return the source with the digests of the collection as it is now."""
    from rearank_cli.collection.source import with_digests

    return with_digests(replace(source, digests={}), collection)
