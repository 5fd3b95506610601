"""Lucene indexes of collections, built by Anserini on first use and kept in the cache."""

import json
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rearank_cli.collection import Collection
from rearank_cli.collection.files import CorpusFile
from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import building, cache_dir, locked
from rearank_cli.log import counted, note, warn
from rearank_cli.lucene import jvm
from rearank_cli.progress import progress
from rearank_cli.records import Passage

T = TypeVar("T")

FORMAT = 1
"""Raised whenever an index would come out differently from the same documents."""

BATCH = 2000
BUFFER_MB = 256.0
"""Lucene's write buffer. Anserini asks for 2048 MB, which a heap for one command has not got."""


class Indexing(NamedTuple):
    """How to index: the language of the analyzer, and how many threads."""

    language: str = "en"
    threads: int = 1
    verbose: bool = False


def index_place(collection: Collection, language: str) -> Path:
    """Return the folder in the cache where the index of a collection belongs."""
    key = f"{collection.fingerprint()[:24]}-{language}-v{FORMAT}"
    return cache_dir("indexes") / key


def ensure_index(collection: Collection, how: Indexing, again: bool = False) -> Path:
    """Return the index of a collection, built now if the cache has none of the same content.

    `again` builds it in any case. Raises `RearankError` for documents that cannot be indexed;
    then, or when the process is killed, nothing is kept.
    """
    target = index_place(collection, how.language)
    if target.is_dir() and not again:
        return target
    with locked(target):
        if again:
            shutil.rmtree(target, ignore_errors=True)
        if not target.is_dir():
            with building(target) as folder:
                build(collection, folder, how)
    return target


def build(collection: Collection, folder: Path, how: Indexing) -> int:
    """Index a collection into an empty folder, merged to one segment; return how many documents.

    Title and text become one field, as in Anserini's flat BEIR indexes. Document vectors are
    kept for query expansion and the raw text for display. A document without any text is left
    out, with a warning; one that comes twice is an error.
    """
    begun = time.monotonic()
    batches = ahead(_batches(collection.documents()))
    first = next(batches, None)  # before Java starts, so that bad files are told at once
    indexer = _indexer(folder, how)
    count = Count()
    merge = False
    try:
        with progress("indexing", "documents") as advance, jvm.java_errors("indexing"):
            for batch in chain([first] if first else [], batches):
                count.add(batch, indexer.addRawDocuments(batch.lines))
                advance(len(batch.lines))
        merge = True
    finally:
        with jvm.java_errors("indexing"):
            indexer.close(merge)
    count.check()
    kept = count.kept
    _check_unique(collection, folder, kept)
    seconds = time.monotonic() - begun
    note(
        f"indexed {counted(kept, 'document')} in {seconds:.1f} s, {kept / seconds:,.0f} per second"
    )
    return kept


class Batch(NamedTuple):
    """Documents as Anserini's JsonCollection reads them, and how many of them have no text."""

    lines: list[str]
    empty: int


@dataclass
class Count:
    """Documents given to Lucene, those among them without text, and those that it kept."""

    given: int = 0
    empty: int = 0
    kept: int = 0

    def add(self, batch: Batch, kept: int) -> None:
        """Count a batch of which Lucene kept so many."""
        self.given += len(batch.lines)
        self.empty += batch.empty
        self.kept += kept

    def check(self) -> None:
        """Warn of documents left out because they are empty; raise for any other loss."""
        if self.kept == 0:
            raise RearankError(f"expected documents with text, found {self.given} without")
        lost = self.given - self.kept
        if lost != self.empty:
            raise RearankError(
                f"expected {self.given - self.empty} documents in the index, found {self.kept}",
                hint="Lucene refused some; doc ids may have at most 32,766 bytes",
            )
        if lost:
            warn(f"{lost} of {self.given} documents have no text and were left out of the index")


def _indexer(folder: Path, how: Indexing) -> Any:
    # One thread reads and prepares documents; fewer threads in Lucene mean less to merge.
    writers = max(1, how.threads - 1)
    jvm.start(how.threads, how.verbose)
    with jvm.java_errors(f"indexing with language {how.language!r}"):
        indexer = jvm.java_class("io.anserini.index.SimpleIndexer")(
            ["-input", "", "-index", str(folder), "-collection", "JsonCollection"]
            + ["-threads", str(writers), "-language", how.language]
            + ["-storeDocvectors", "-storeRaw"]
        )
    indexer.writer.getConfig().setRAMBufferSizeMB(BUFFER_MB)
    return indexer


def _batches(documents: Iterable[Passage]) -> Iterator[Batch]:
    stream = iter(documents)
    while some := list(islice(stream, BATCH)):
        empty = sum(not (passage.text or passage.title) for passage in some)
        yield Batch([as_json(passage) for passage in some], empty)


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, each next one being made by a thread while the caller uses the last.

    Whatever `items` raises is raised here.
    """
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = executor.submit(next, items, None)
            yield item


def as_json(passage: Passage) -> str:
    """Return a document as Anserini's JsonCollection reads it; the raw copy keeps the title."""
    entry = {"id": passage.doc_id, "contents": passage.text}
    if passage.title:
        entry = {
            "id": passage.doc_id,
            "title": passage.title,
            "contents": f"{passage.title}\n{passage.text}",
        }
    return json.dumps(entry)


def _check_unique(collection: Collection, folder: Path, documents: int) -> None:
    """Raise `RearankError` if an id was indexed twice: one segment knows how many ids it has."""
    reader = jvm.java_class("io.anserini.index.IndexReaderUtils").getReader(str(folder))
    try:
        ids = jvm.java_class("org.apache.lucene.index.MultiTerms").getTerms(reader, "id").size()
    finally:
        reader.close()
    if ids != documents:
        # A file can say where; other collections have no lines.
        docs = collection.docs
        found = docs.repeated() if isinstance(docs, CorpusFile) else None
        raise found or RearankError(
            f"expected every doc id once, found {documents} documents with {ids} ids "
            f"(first repeated: {_repeated(collection.documents())})",
            hint="remove the repeated documents from the corpus",
        )


def _repeated(documents: Iterable[Passage]) -> str:
    seen: set[str] = set()
    for passage in documents:
        if passage.doc_id in seen:
            return passage.doc_id
        seen.add(passage.doc_id)
    return "?"
