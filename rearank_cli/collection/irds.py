"""A collection of the ir_datasets catalogue."""

import difflib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rearank_cli.collection.catalogue import catalogue, reading
from rearank_cli.collection.collection import Collection
from rearank_cli.collection.digest import file_digest
from rearank_cli.collection.documents import Documents
from rearank_cli.collection.indexed import IndexedDocuments
from rearank_cli.collection.matching import matching_index
from rearank_cli.errors import RearankError
from rearank_cli.records import Passage, Qrel, Query


def open_irds(name: str, fields: Sequence[str] = ()) -> Collection:
    """Open a dataset by its ir_datasets id; nothing is read or downloaded yet.

    `fields` names the parts of a structured query that make up its text. Where the documents are
    not on this machine and a prebuilt index holds them, that index stands in for them. Raises
    `RearankError` for an id that is not in the catalogue.
    """
    ir_datasets = catalogue()
    try:
        dataset = ir_datasets.load(name)
    except KeyError:
        close = difflib.get_close_matches(name, list(ir_datasets.registry), n=3)
        raise RearankError(
            f"{name}: expected a collection, found neither a folder nor an ir_datasets id",
            hint=f"did you mean {', '.join(close)}?" if close else "rearank datasets lists them",
        ) from None
    return Collection(
        name,
        _documents(name, dataset) if dataset.has_docs() else None,
        (lambda: _queries(name, dataset, fields)) if dataset.has_queries() else None,
        (lambda: _qrels(name, dataset)) if dataset.has_qrels() else None,
    )


class IrdsDocuments:
    """The documents of a dataset, looked up through its own document store."""

    def __init__(self, name: str, dataset: Any) -> None:
        self._name = name
        self._dataset = dataset

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in its order."""
        with reading(self._name):
            for doc in self._dataset.docs_iter():
                yield to_passage(doc)

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the passages of these ids; unknown ids are left out."""
        with reading(self._name):
            for doc in self._dataset.docs_store().get_many_iter(list(doc_ids)):
                yield to_passage(doc)

    def fingerprint(self) -> str:
        """Return a digest of the corpus's id and of the file that it comes from, if it is one."""
        with reading(self._name):
            path = docs_path(self._dataset, fetch=True)
        content = file_digest(path) if path and os.path.isfile(path) else ""
        corpus = catalogue().docs_parent_id(self._name)
        return hashlib.sha256(f"{corpus}\n{content}".encode()).hexdigest()


def docs_path(dataset: Any, fetch: bool = False) -> str | None:
    """Return the file or folder that a dataset's documents come from, if it has one.

    With `fetch`, it is downloaded when it is missing. Some datasets keep it in a private field.
    """
    handler = dataset.docs_handler()
    source = getattr(handler, "docs_path", None)
    source = source or getattr(getattr(handler, "_dlc", None), "path", None)
    if source is None:
        return None
    try:
        return str(source(force=fetch))
    except FileNotFoundError:  # a corpus that its owner has to put there by hand
        return None
    except TypeError:  # a few sources take no argument and always download
        return str(source()) if fetch else None


def to_passage(doc: Any) -> Passage:
    """Return a document of ir_datasets as title and text, or all of its text where it has others.

    `default_text` is ir_datasets' own choice of the fields that a search engine would index.
    """
    if isinstance(getattr(doc, "title", None), str) and isinstance(getattr(doc, "text", None), str):
        return Passage(doc.doc_id, doc.text, doc.title)
    return Passage(doc.doc_id, doc.default_text())


def _documents(name: str, dataset: Any) -> Documents:
    index = matching_index(name)
    if index:
        path = docs_path(dataset)
        if path is None or not os.path.exists(path):
            return IndexedDocuments(index)
    return IrdsDocuments(name, dataset)


def _queries(name: str, dataset: Any, fields: Sequence[str]) -> dict[str, Query]:
    known = dataset.queries_cls()._fields
    unknown = [field for field in fields if field not in known]
    if unknown:
        raise RearankError(
            f"{name}: expected a query field of {', '.join(known[1:])}, found {unknown[0]!r}"
        )
    with reading(name):
        return {
            query.query_id: Query(query.query_id, _text(query, fields))
            for query in dataset.queries_iter()
        }


def _text(query: Any, fields: Sequence[str]) -> str:
    if not fields:
        return str(query.default_text())
    return " ".join(str(getattr(query, field)) for field in fields)


def _qrels(name: str, dataset: Any) -> list[Qrel]:
    with reading(name):
        return [
            Qrel(qrel.query_id, qrel.doc_id, int(qrel.relevance)) for qrel in dataset.qrels_iter()
        ]
