"""Retrieval from Python: a collection in, a BM25 run out."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rearank_cli.collection import Collection, open_collection
from rearank_cli.errors import RearankError
from rearank_cli.lucene import bm25
from rearank_cli.lucene.bm25 import Finder, Search
from rearank_cli.lucene.choosing import choose_index
from rearank_cli.lucene.index import Indexing
from rearank_cli.records import Run


def search(
    collection: Collection | str,
    hits: int = 100,
    *,
    index: str | None = None,
    how: Search | None = None,
    ray: str | None = None,
) -> Run:
    """Return the `hits` best documents of every query by BM25, as `rearank retrieve` does.

    The index is built on first use and kept; `index` is the folder or name of another one. `how`
    (`lucene.bm25.Search`) says the rest: k1, b, query expansion, language. `ray` is the address of
    a Ray cluster, or `auto`, whose nodes search; the index lies on each of them at the same place.
    Documents that the collection excludes are not ranked. Raises `RearankError` where Java cannot
    run, and beside vLLM: Java and vLLM end each other in one process.

    >>> from rearank_cli import search
    >>> run = search("demo", hits=3)
    >>> run.tag, len(run.rankings), len(run.rankings["q01"])
    ('bm25', 24, 3)
    """
    if "vllm" in sys.modules:
        raise RearankError(
            "vLLM is in this process already, and Java must not join it",
            hint="retrieve in a process of its own, with `rearank retrieve`, and read_run its run",
        )
    opened = open_collection(collection) if isinstance(collection, str) else collection
    chosen = replace(
        how or Search(threads=os.cpu_count() or 1), hits=hits, excluded=opened.excluded()
    )
    queries = opened.queries()
    place = choose_index(opened, index, Indexing(chosen.language, chosen.threads, chosen.verbose))
    with finding(ray, None, chosen.verbose) as finder:
        return bm25.search(place, queries, chosen, finder=finder)


@contextmanager
def finding(ray: str | None, threads: int | None, verbose: bool) -> Iterator[Finder]:
    """Yield what looks queries up: this process, or the nodes of the cluster at this address."""
    if ray is None:
        yield bm25.find
        return
    from rearank_cli.lucene.spread import on_cluster

    with on_cluster(ray, threads, verbose) as spread:
        yield spread
