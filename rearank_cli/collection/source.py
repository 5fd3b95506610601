"""Between a collection and what an origin says of it: how it is opened again, and its digests."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from rearank_cli.collection.opening import FROM, INDEX, local_name
from rearank_cli.errors import MissingPart, RearankError
from rearank_cli.formats.files import STDIO, label_and_name
from rearank_cli.formats.origin import MOVED, Source, short_path
from rearank_cli.log import warn
from rearank_cli.records import Query


class Digested(Protocol):
    """What digests are taken of: a collection."""

    def queries(self) -> Mapping[str, Query]:
        """Return all queries by id."""
        ...

    def fingerprint(self) -> str:
        """Return a digest of the documents."""
        ...


def resolved(
    name: str | None,
    corpus: str | None = None,
    queries: str | None = None,
    qrels: str | None = None,
    fields: Sequence[str] = (),
) -> Source:
    """Return what opens a collection again, from any folder: names stay, paths become absolute.

    The arguments are those of `open_collection`; `short=name` says how files and tables call it.
    Raises `RearankError` for a path without one.
    """
    short, name = label_and_name(name) if name else (None, None)
    return Source(
        (local_name(name) or name) if name else None,
        _corpus(corpus) if corpus else None,
        _absolute(queries) if queries else None,
        _absolute(qrels) if qrels else None,
        short,
        tuple(fields),
    )


def _corpus(corpus: str) -> str:
    for prefix, place in ((FROM, local_name), (INDEX, _folder)):
        if corpus.startswith(prefix):
            name = corpus.removeprefix(prefix)
            return prefix + (place(name) or name)
    return _absolute(corpus)


def _folder(name: str) -> str | None:
    return os.path.abspath(name) if os.path.isdir(name) else None


def _absolute(file: str) -> str:
    return file if file == STDIO else os.path.abspath(file)


def check_there(source: Source, place: str) -> None:
    """Raise `RearankError` for a part that is no longer where the origin in `place` says."""
    for part in (source.dataset, source.corpus, source.queries, source.qrels):
        if part and os.path.isabs(part) and not _is_there(part, part == source.dataset):
            raise RearankError(
                f"{short_path(part)}: no such file or folder, although {short_path(place)} says "
                "that the run is of that collection",
                hint=f"where it is now: {MOVED}",
            )


def _is_there(part: str, dataset: bool) -> bool:
    """Tell whether a path is there; a collection's last word may be one of its splits."""
    try:
        return local_name(part) is not None if dataset else os.path.exists(part)
    except RearankError:
        return False


def with_digests(source: Source, collection: Digested) -> Source:
    """Return the source with the digests of the collection's documents and queries."""
    digests = {}
    for name, digest in (
        ("corpus", collection.fingerprint),
        ("queries", lambda: queries_digest(collection.queries())),
    ):
        try:
            digests[name] = digest()
        except MissingPart:
            continue
    return replace(source, digests=digests)


def queries_digest(queries: Mapping[str, Query]) -> str:
    """Return the SHA-256 of queries as sorted lines `query_id text`."""
    digest = hashlib.sha256()
    for query_id in sorted(queries):
        digest.update(f"{query_id} {queries[query_id].text}\n".encode("utf-8", "replace"))
    return digest.hexdigest()


def warn_of_changes(source: Source, collection: Digested, run: str) -> None:
    """Warn where the queries of a collection are not those that a run was made for."""
    noted = source.digests.get("queries")
    if noted is None:
        return
    try:
        now = queries_digest(collection.queries())
    except MissingPart:
        return
    if now != noted:
        warn(f"{run}: the queries of {source.name} have changed since this run was made")
