"""Lucene indexes of collections, built by Anserini on first use and kept in the cache."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rearank_cli.cache import building, cache_dir
from rearank_cli.collection import Collection
from rearank_cli.errors import RearankError
from rearank_cli.log import warn
from rearank_cli.lucene import jvm
from rearank_cli.records import Passage

FORMAT = 1
"""Raised whenever an index would come out differently from the same documents."""

BATCH = 2000
BUFFER_MB = 256.0
"""Lucene's write buffer. Anserini asks for 2048 MB, which a heap for one command has not got."""


def ensure_index(collection: Collection, threads: int) -> Path:
    """Return the index of a collection, built now if the cache has none of the same content.

    Raises `RearankError` for documents that cannot be indexed; then nothing is kept.
    """
    target = cache_dir("indexes") / f"{collection.fingerprint()[:24]}-v{FORMAT}"
    if not target.is_dir():
        with building(target) as folder:
            build(collection.documents(), folder, threads)
    return target


def build(documents: Iterable[Passage], folder: Path, threads: int) -> int:
    """Index documents into an empty folder, merged to one segment; return how many there are.

    Title and text become one field, as in Anserini's flat BEIR indexes. Document vectors are
    kept for query expansion and the raw text for display. A document without any text is left
    out, with a warning; one that comes twice is an error.
    """
    indexer = _indexer(folder, threads)
    given = 0
    kept = 0
    try:
        for batch in _batches(documents):
            given += len(batch)
            with jvm.java_errors("indexing"):
                kept += indexer.addRawDocuments([_as_json(passage) for passage in batch])
    finally:
        with jvm.java_errors("indexing"):
            indexer.close(True)
    if kept == 0:
        raise RearankError(f"expected documents with text, found {given} without")
    if kept < given:
        warn(f"{given - kept} of {given} documents have no text and were left out of the index")
    _check_unique(folder, kept)
    return kept


def _indexer(folder: Path, threads: int) -> Any:
    jvm.start(threads)
    indexer = jvm.java_class("io.anserini.index.SimpleIndexer")(
        ["-input", "", "-index", str(folder), "-collection", "JsonCollection"]
        + ["-threads", str(threads), "-storeDocvectors", "-storeRaw"]
    )
    indexer.writer.getConfig().setRAMBufferSizeMB(BUFFER_MB)
    return indexer


def _batches(documents: Iterable[Passage]) -> Iterator[list[Passage]]:
    stream = iter(documents)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _as_json(passage: Passage) -> str:
    """Return a document as Anserini's JsonCollection reads it; the raw copy keeps the title."""
    entry = {"id": passage.doc_id, "contents": passage.text}
    if passage.title:
        entry = {
            "id": passage.doc_id,
            "title": passage.title,
            "contents": f"{passage.title}\n{passage.text}",
        }
    return json.dumps(entry, ensure_ascii=False)


def _check_unique(folder: Path, documents: int) -> None:
    """Raise `RearankError` if an id was indexed twice: one segment knows how many ids it has."""
    reader = jvm.java_class("io.anserini.index.IndexReaderUtils").getReader(str(folder))
    try:
        ids = jvm.java_class("org.apache.lucene.index.MultiTerms").getTerms(reader, "id").size()
    finally:
        reader.close()
    if ids != documents:
        raise RearankError(
            f"expected every doc id once, found {documents} documents with {ids} ids",
            hint="remove the repeated documents from the corpus",
        )
