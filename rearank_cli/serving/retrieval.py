"""Candidates from a collection that the server was given: BM25 over its index."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

from rearank_cli.collection import Collection
from rearank_cli.records import Passage, Query
from rearank_cli.serving.refusals import Refusal

HITS = 20
"""Candidates for a query that asks for no other number."""
_QUERY = "request"


class Searcher:
    """Finds passages of one collection; Java and the index are used from a thread of its own."""

    def __init__(self, collection: Collection) -> None:
        """Remember the collection; nothing is read before `open`."""
        self._collection = collection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._index: Path | None = None

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._collection.name or "the collection"

    async def open(self) -> None:
        """Find the index, or build it; raise `RearankError` when that fails."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    def _open(self) -> None:
        from rearank_cli.lucene.choosing import choose_index
        from rearank_cli.lucene.index import Indexing

        self._index = choose_index(self._collection, None, Indexing(threads=os.cpu_count() or 1))

    async def search(self, query: str, hits: int = HITS) -> Sequence[Passage]:
        """Return the best passages of a query, best first; none for one that finds nothing."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._search, query, hits)

    def _search(self, query: str, hits: int) -> list[Passage]:
        from rearank_cli.lucene.bm25 import Search, search

        if self._index is None:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the index is not ready yet")
        run = search(self._index, {_QUERY: Query(_QUERY, query)}, Search(hits=hits))
        ranking = run.rankings.get(_QUERY, ())
        passages = self._collection.passages(ranking)
        return [passages[doc_id] for doc_id in ranking if doc_id in passages]

    def close(self) -> None:
        """Let go of the thread; safe when called twice."""
        self._thread.shutdown(wait=False, cancel_futures=True)
