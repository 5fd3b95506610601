"""From what the user typed to a `Collection`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from rearank_cli.collection.bright import is_bright, open_bright, open_bright_folder
from rearank_cli.collection.collection import Collection
from rearank_cli.collection.documents import Documents
from rearank_cli.collection.files import CorpusFile
from rearank_cli.collection.folder import is_collection, open_folder
from rearank_cli.collection.indexed import IndexedDocuments
from rearank_cli.collection.irds import open_irds
from rearank_cli.errors import RearankError
from rearank_cli.formats.trec import read_qrels, read_queries

DEMO = "demo"
BRIGHT = "bright/"
INDEX = "index:"
FROM = "from:"


def open_collection(
    name: str | None = None,
    corpus: str | None = None,
    queries: str | None = None,
    qrels: str | None = None,
    fields: Sequence[str] = (),
) -> Collection:
    """Open a collection by name and replace any of its parts.

    `name` is `demo`, a folder in BEIR layout (`folder/split` for one of its splits), `bright/SET`
    or `folder/SET` in BRIGHT's layout, or an ir_datasets id. `corpus` is a file, `index:NAME` for
    the stored text of a Lucene index, or `from:NAME` for the documents of another collection.
    `fields` names the parts of structured queries to use. Nothing is read yet, so that a
    missing part hurts only those who need it. Raises `RearankError` for a name without meaning.

    >>> from rearank_cli import open_collection
    >>> open_collection("demo").passages(["phys-001"])["phys-001"].title
    "Newton's second law"
    """
    for parameter, part in (("corpus", corpus), ("queries", queries), ("qrels", qrels)):
        _check_file(parameter, part)
    opened = _named(name, fields) if name else Collection()
    if corpus:
        opened = replace(opened, docs=_corpus(corpus))
    if queries:
        opened = replace(opened, read_queries=lambda: read_queries(queries, fields))
    if qrels:
        opened = replace(opened, read_qrels=lambda: read_qrels(qrels))
    return opened


def _check_file(parameter: str, part: str | None) -> None:
    """Raise `RearankError` for a folder where a file is wanted, with the way to name a folder."""
    if part and Path(part).is_dir():
        folder = is_collection(Path(part))
        raise RearankError(
            f"`{parameter}` {part}: expected a file, found a directory",
            hint=f"a folder is a collection: `collection={part}`"
            if folder
            else "name a file inside it",
        )


def _corpus(corpus: str) -> Documents:
    if corpus.startswith(INDEX):
        return IndexedDocuments(corpus.removeprefix(INDEX))
    if not corpus.startswith(FROM):
        return CorpusFile(corpus)
    name = corpus.removeprefix(FROM)
    documents = _named(name, ()).docs
    if documents is None:
        raise RearankError(f"{name} has no documents", hint="name a collection that has them")
    return documents


def _named(name: str, fields: Sequence[str]) -> Collection:
    if name == DEMO:
        return open_folder(DEMO, Path(str(files("rearank_cli") / "demo")), fields=fields)
    return _local(name, fields) or _catalogued(name, fields)


def _local(name: str, fields: Sequence[str]) -> Collection | None:
    """Return a collection in the file system, or None for a name that can mean something else."""
    path = Path(name).expanduser()
    if path.is_file():
        raise RearankError(
            f"{name}: expected a collection, found a file",
            hint="name its parts with `corpus`, `queries` and `qrels`",
        )
    if path.is_dir() and (is_collection(path) or _is_path(name)):
        return open_folder(name, path, fields=fields)
    inside = "/" in name.rstrip("/") and not path.exists()
    for parent in list(path.parents)[:2] if inside else ():
        if is_bright(parent):
            return open_bright_folder(parent, str(path.relative_to(parent)))
    if inside and is_collection(path.parent):
        return open_folder(str(path.parent), path.parent, path.name, fields)
    if _is_path(name):
        raise RearankError(f"{name}: no such folder")
    return None


def _catalogued(name: str, fields: Sequence[str]) -> Collection:
    if name.startswith(BRIGHT):
        return open_bright(name.removeprefix(BRIGHT))
    return open_irds(name, fields)


def _is_path(name: str) -> bool:
    """Tell whether a name can only be meant as a place in the file system."""
    return name.startswith(("/", "./", "../", "~")) or name.endswith("/")


def local_name(name: str) -> str | None:
    """Return a collection's name as an absolute path; None for one that is no place.

    Raises `RearankError` for a path without a collection.
    """
    if name == DEMO or _local(name, ()) is None:
        return None
    return os.path.abspath(Path(name).expanduser())
