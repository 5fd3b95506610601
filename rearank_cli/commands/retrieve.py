"""`rearank retrieve`: the first stage, BM25 over a Lucene index of the collection."""

import os
import time
from typing import Annotated

import typer

from rearank_cli.commands.options import Corpus, Dataset, Output, Queries
from rearank_cli.errors import RearankError
from rearank_cli.files import check_writable
from rearank_cli.log import note

EXAMPLES = """\b
Examples:
  rearank retrieve demo
  rearank retrieve -d demo --hits 20 -o runs/demo.bm25.trec
  rearank retrieve vaswani > runs/vaswani.bm25.trec
  rearank retrieve --corpus docs.jsonl --queries topics.tsv -o run.trec
"""


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATASET]", help="Collection: an ir_datasets id, a folder, or 'demo'."
        ),
    ] = None,
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    hits: Annotated[int, typer.Option(min=1, help="How many documents per query.")] = 100,
    k1: Annotated[float, typer.Option(min=0, help="BM25: how fast repeated terms saturate.")] = 0.9,
    b: Annotated[float, typer.Option(min=0, max=1, help="BM25: weight of the length.")] = 0.4,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Processors for indexing and searching; default all."),
    ] = None,
    output: Output = "-",
) -> None:
    """Find the documents of each query that share its words (BM25), as a TREC run.

    The index is built on first use and kept in the cache folder.
    """
    from rearank_cli.collection import open_collection
    from rearank_cli.lucene.bm25 import BM25, search
    from rearank_cli.lucene.index import ensure_index
    from rearank_cli.trec import write_run

    if name and dataset and name != dataset and not os.environ.get("REARANK_DATASET"):
        raise RearankError(f"expected one collection, found two: {name} and {dataset}")
    check_writable(output)
    begun = time.monotonic()
    collection = open_collection(name or dataset, corpus, queries)
    topics = collection.queries()
    processors = threads or os.cpu_count() or 1
    index = ensure_index(collection, processors)
    run = search(index, topics, BM25(k1, b), hits, processors)
    write_run(output, run)
    lines = sum(len(ranking) for ranking in run.rankings.values())
    note(f"{len(topics)} queries, {lines} hits, {time.monotonic() - begun:.1f} s")
