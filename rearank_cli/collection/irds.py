"""A collection of the ir_datasets catalogue."""

import difflib
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rearank_cli.collection.digest import file_digest
from rearank_cli.collection.parts import Parts
from rearank_cli.errors import RearankError
from rearank_cli.records import Passage, Qrel, Query


def open_irds(name: str) -> Parts:
    """Open a dataset by its ir_datasets id; nothing is read or downloaded yet.

    Raises `RearankError` for an id that is not in the catalogue.
    """
    ir_datasets = _catalogue()
    try:
        dataset = ir_datasets.load(name)
    except KeyError:
        close = difflib.get_close_matches(name, list(ir_datasets.registry), n=3)
        raise RearankError(
            f"{name}: expected a collection, found neither a folder nor an ir_datasets id",
            hint=f"did you mean {', '.join(close)}?" if close else "rearank datasets lists them",
        ) from None
    return Parts(
        name,
        IrdsDocuments(name, dataset) if dataset.has_docs() else None,
        (lambda: _queries(name, dataset)) if dataset.has_queries() else None,
        (lambda: _qrels(name, dataset)) if dataset.has_qrels() else None,
    )


def _catalogue() -> Any:
    """Import ir_datasets and keep it to what concerns the user: bars on a terminal, warnings."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # read by tqdm when it is imported
    import ir_datasets

    ir_datasets.log.easy().logger().setLevel("WARNING")
    return ir_datasets


class IrdsDocuments:
    """The documents of a dataset, looked up through its own document store."""

    def __init__(self, name: str, dataset: Any) -> None:
        self._name = name
        self._dataset = dataset

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in its order."""
        with _reading(self._name):
            for doc in self._dataset.docs_iter():
                yield to_passage(doc)

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of these ids; unknown ids are left out."""
        with _reading(self._name):
            docs = self._dataset.docs_store().get_many(list(doc_ids))
        return {doc_id: to_passage(doc) for doc_id, doc in docs.items()}

    def fingerprint(self) -> str:
        """Return a digest of the corpus's id and of the file that it comes from, if it is one."""
        import ir_datasets

        with _reading(self._name):
            path = _docs_path(self._dataset.docs_handler())
        content = file_digest(path) if path else ""
        corpus = ir_datasets.docs_parent_id(self._name)
        return hashlib.sha256(f"{corpus}\n{content}".encode()).hexdigest()


def _docs_path(handler: Any) -> str | None:
    """Return the file behind a dataset's documents; some handlers keep it in a private field."""
    source = getattr(handler, "docs_path", None) or getattr(
        getattr(handler, "_dlc", None), "path", None
    )
    path = str(source()) if source else ""
    return path if os.path.isfile(path) else None


def to_passage(doc: Any) -> Passage:
    """Return a document of ir_datasets as title and text, or all of its text where it has others.

    `default_text` is ir_datasets' own choice of the fields that a search engine would index.
    """
    if isinstance(getattr(doc, "title", None), str) and isinstance(getattr(doc, "text", None), str):
        return Passage(doc.doc_id, doc.text, doc.title)
    return Passage(doc.doc_id, doc.default_text())


def _queries(name: str, dataset: Any) -> dict[str, Query]:
    with _reading(name):
        return {
            query.query_id: Query(query.query_id, query.default_text())
            for query in dataset.queries_iter()
        }


def _qrels(name: str, dataset: Any) -> list[Qrel]:
    with _reading(name):
        return [
            Qrel(qrel.query_id, qrel.doc_id, int(qrel.relevance)) for qrel in dataset.qrels_iter()
        ]


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn whatever ir_datasets raises when a download or a file fails into a `RearankError`."""
    import requests

    try:
        yield
    except (requests.exceptions.RequestException, RuntimeError, OSError) as error:
        raise RearankError(
            f"{name}: the dataset could not be read or downloaded: {error}",
            hint="check the network, or use a local copy with --corpus, --queries and --qrels",
        ) from error
