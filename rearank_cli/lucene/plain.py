"""BM25 without query expansion, straight on Lucene.

Anserini's searcher loads every hit's stored text, which is most of the work of a short search.
Lucene's own sorted search returns doc ids and scores alone; queries, ranking and scores are
Anserini's all the same.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from rearank_cli.lucene import jvm
from rearank_cli.lucene.scores import DECIMALS, adjusted
from rearank_cli.records import Query

HIT = re.compile(r"score=(\S+) shardIndex=\S+ fields=\[[^,]*, [^,]*?\[([0-9a-f ]*)\]\]")
"""One hit as Lucene prints it; the doc id is its bytes in hexadecimal."""


class Hit(NamedTuple):
    """A doc id with its score as Anserini writes it, and as Lucene has it (six decimals)."""

    doc_id: str
    score: float
    lucene: float


class PlainSearcher:
    """Searches with what an Anserini searcher has set up: reader, analyzer, similarity.

    `generator` is one of Anserini's query generators.
    """

    def __init__(self, anserini: Any, generator: Any) -> None:
        self._searcher = jvm.java_class("org.apache.lucene.search.IndexSearcher")(anserini.reader)
        self._searcher.setSimilarity(anserini.get_similarity())
        self._analyzer = anserini.get_analyzer()
        self._generator = generator
        self._order = anserini.BREAK_SCORE_TIES_BY_DOCID
        self._to_string = jvm.java_class("java.util.Arrays").toString

    def search(self, queries: Sequence[Query], depth: int, threads: int) -> dict[str, list[Hit]]:
        """Return the best `depth` documents by query id."""
        executor = ThreadPoolExecutor(threads)
        try:
            results = executor.map(lambda query: self._printed(query.text, depth), queries)
            printed = list(results)
        finally:
            executor.shutdown(cancel_futures=True)
        return {query.query_id: _hits(text) for query, text in zip(queries, printed, strict=True)}

    def _printed(self, text: str, depth: int) -> str:
        """Return the hits as one Java string: an object for every hit would cost more to fetch."""
        query = self._generator.buildQuery("contents", self._analyzer, text)
        top = self._searcher.search(query, depth, self._order, True)
        return str(self._to_string(top.scoreDocs))


def _hits(printed: str) -> list[Hit]:
    found = HIT.findall(printed)
    assert len(found) == printed.count("score="), "Lucene prints hits in the form that we read"
    lucene = [float(score) for score, _ in found]
    doc_ids = (bytes.fromhex(doc_id).decode() for _, doc_id in found)
    written = (round(score, DECIMALS) for score in lucene)
    return list(map(Hit, doc_ids, adjusted(lucene), written))
