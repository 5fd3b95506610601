"""From what the user typed to a `Collection`."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from rearank_cli.collection.base import Collection
from rearank_cli.collection.files import CorpusFile
from rearank_cli.collection.folder import is_collection, open_folder
from rearank_cli.collection.irds import open_irds
from rearank_cli.collection.parts import Parts
from rearank_cli.errors import RearankError
from rearank_cli.trec import read_qrels, read_queries

DEMO = "demo"


def open_collection(
    name: str | None = None,
    corpus: str | None = None,
    queries: str | None = None,
    qrels: str | None = None,
) -> Collection:
    """Open a collection by name and replace any of its parts by files.

    `name` is `demo`, a folder in BEIR layout (`folder/split` for one of its splits), or an
    ir_datasets id. Nothing is read yet, so that a missing part hurts only those who need it.
    Raises `RearankError` for a name that means nothing.
    """
    parts = _named(name) if name else Parts("")
    if corpus:
        parts = replace(parts, docs=CorpusFile(corpus))
    if queries:
        parts = replace(parts, read_queries=lambda: read_queries(queries))
    if qrels:
        parts = replace(parts, read_qrels=lambda: read_qrels(qrels))
    return parts


def _named(name: str) -> Parts:
    if name == DEMO:
        return open_folder(DEMO, Path(str(files("rearank_cli") / "demo")))
    path = Path(name)
    if path.is_file():
        raise RearankError(
            f"{name}: expected a collection, found a file",
            hint="name its parts with --corpus, --queries and --qrels",
        )
    if path.is_dir() and (is_collection(path) or _is_path(name)):
        return open_folder(name, path)
    if "/" in name.rstrip("/") and not path.exists() and is_collection(path.parent):
        return open_folder(str(path.parent), path.parent, path.name)
    if _is_path(name):
        raise RearankError(f"{name}: no such folder")
    return open_irds(name)


def _is_path(name: str) -> bool:
    """Tell whether a name can only be meant as a place in the file system."""
    return name.startswith(("/", "./", "../", "~")) or name.endswith("/")
