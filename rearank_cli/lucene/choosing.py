"""Which index to search: the one asked for, the one that stands for the documents, or our own."""

from pathlib import Path

from rearank_cli.collection import Collection
from rearank_cli.collection.indexed import IndexedDocuments
from rearank_cli.collection.matching import matching_index
from rearank_cli.log import note
from rearank_cli.lucene.index import Indexing, ensure_index, index_place
from rearank_cli.lucene.prebuilt import resolve_index


def choose_index(collection: Collection, index: str | None, how: Indexing) -> Path:
    """Return the folder of the index to search, downloaded or built now if need be.

    `index` is a folder or the name of a prebuilt index. Without it, a collection whose documents
    are in an index is searched there, and any other is indexed once.
    """
    if index is None and isinstance(collection.docs, IndexedDocuments):
        index = collection.docs.index
    if index:
        return resolve_index(index)
    prebuilt = matching_index(collection.name)
    if prebuilt and not index_place(collection, how.language).is_dir():
        note(f"indexing the local documents; `index={prebuilt}` would search a prebuilt index")
    return ensure_index(collection, how)
