"""From whatever a caller has by way of judgements to `Judgements`."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from rearank_cli.collection import Collection, open_collection
from rearank_cli.collection.judgements import Grades, Judgements
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO
from rearank_cli.formats.trec import read_qrels
from rearank_cli.records import Qrel

JudgementsLike = Collection | Judgements | Grades | Iterable[Qrel] | str | os.PathLike[str]
"""A collection or its name, judgements in memory in any form, or a file of them."""


def judgements_of(given: JudgementsLike) -> Judgements:
    """Return judgements; those of a collection are read without touching its documents.

    Raises `RearankError` for a name that is neither a file nor a collection.
    """
    if isinstance(given, Collection):
        return given.judgements()
    if isinstance(given, Judgements):
        return given
    if isinstance(given, str | os.PathLike):
        return _named(os.fspath(given))
    return Judgements.of(given) if isinstance(given, Mapping) else Judgements(given)


def is_file(name: str) -> bool:
    """Return whether judgements of this name are in a file, or come from stdin."""
    return name == STDIO or (Path(name).exists() and not Path(name).is_dir())


def _named(name: str) -> Judgements:
    if is_file(name):
        return Judgements(read_qrels(name))
    try:
        collection = open_collection(name)
    except RearankError as error:
        raise RearankError(
            f"{name}: expected a file or the name of a collection, found neither",
            hint="judgements are a file in TREC or BEIR form, or a collection's",
        ) from error
    return collection.judgements()
