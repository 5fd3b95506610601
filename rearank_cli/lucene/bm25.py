"""BM25 search over a Lucene index, with Anserini's searcher."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rearank_cli.lucene import jvm
from rearank_cli.records import Query, Run

BATCH = 64


class BM25(NamedTuple):
    """The two parameters of BM25; the defaults are Anserini's for passages."""

    k1: float = 0.9
    b: float = 0.4


def search(index: Path, queries: Mapping[str, Query], bm25: BM25, hits: int, threads: int) -> Run:
    """Return the best `hits` documents of each query, in the order of the queries.

    A query that finds nothing is not in the run. Scores are Anserini's: rounded to four decimals,
    equal ones told apart by 0.000001 in the order of the doc ids. Raises `RearankError` when
    Java does.
    """
    jvm.start(threads)
    rankings: dict[str, tuple[str, ...]] = {}
    scores: dict[str, tuple[float, ...]] = {}
    with jvm.java_errors(f"searching {index}"):
        searcher = jvm.java_class("io.anserini.search.SimpleSearcher")(str(index))
        searcher.set_bm25(bm25.k1, bm25.b)
        for batch in _batches(queries.values()):
            found = _search_batch(searcher, batch, hits, threads)
            for query in batch:
                scored = found.get(query.query_id)
                if scored:
                    rankings[query.query_id] = tuple(hit.docid for hit in scored)
                    scores[query.query_id] = falling(hit.score for hit in scored)
        searcher.close()
    return Run(rankings, scores, "bm25")


def _batches(queries: Iterable[Query]) -> Iterator[list[Query]]:
    stream = iter(queries)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _search_batch(searcher: Any, batch: list[Query], hits: int, threads: int) -> Any:
    as_list = jvm.java_class("java.util.Arrays").asList
    texts = as_list(*[query.text for query in batch])
    ids = as_list(*[query.query_id for query in batch])
    return searcher.batch_search(texts, ids, hits, threads)


def falling(scores: Iterable[float]) -> tuple[float, ...]:
    """Return scores with six decimals that fall strictly, also as 32-bit floats.

    Anserini's gap of 0.000001 between equal scores is lost in a 32-bit float from 16 upwards, so
    there the gap becomes the distance to the next such float.
    """
    result: list[float] = []
    for score in scores:
        value = round(score, 6)
        if result and _float32(value) >= _float32(result[-1]):
            value = _below(result[-1])
        result.append(value)
    return tuple(result)


def _float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _below(score: float) -> float:
    """Return the next value with six decimals that is smaller as a 32-bit float."""
    step = 0.000001
    while _float32(round(score - step, 6)) >= _float32(score):
        step *= 2
    return round(score - step, 6)
