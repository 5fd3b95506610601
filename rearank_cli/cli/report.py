"""`rearank report`: runs and a trace as one page to look at."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.options import AskedQueriesOnly, Corpus, Dataset, Output, Qrels, Queries
from rearank_cli.errors import RearankError

if TYPE_CHECKING:
    from rearank_cli.report.context import Context
    from rearank_cli.report.material import Material

EXAMPLES = """
Examples:

\b
  rearank report bm25.trec rearank.trec -d demo --trace rearank.trace.jsonl -o report.html
  rearank report runs/*.trec --qrels qrels.txt -m nDCG@10 -m R@100 -o report.html
"""


def command(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs in TREC format, plain or packed; - is stdin."),
    ],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    qrels: Qrels = None,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Trace of the run that the queries are about: its reasoning is shown.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="The run that the others are compared with.",
            show_default="the first RUN, where there are several",
        ),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "-m",
            metavar="MEASURE",
            help="Any measure of ir_measures; repeatable, the first one is drawn. "
            "Default: nDCG@10.",
        ),
    ] = None,
    asked_queries_only: AskedQueriesOnly = False,
    limit: Annotated[
        int, typer.Option(min=1, help="Most queries to show; those that changed most.")
    ] = 100,
    output: Output = "-",
) -> None:
    """Write one HTML file that shows what reranking changed, and what the model thought.

    The file needs no network and opens from disk. Whatever it shows of passages, queries and
    reasoning is escaped, and its policy allows no script but its own.
    """
    from rearank_cli.formats.files import STDIO, check_writable, write_text
    from rearank_cli.log import note
    from rearank_cli.report.build import build_page
    from rearank_cli.report.html import render

    check_writable(output)
    if output == STDIO and sys.stdout.isatty():
        raise RearankError("expected a file for the page, found a terminal", hint="-o report.html")
    if STDIO in (trace, qrels):
        raise RearankError("expected files, found -", hint="a run alone can come from stdin")
    sources = _sources(runs, baseline)
    chosen = baseline or (runs[0] if len(runs) > 1 else None)
    label = next((name for name, source in sources.items() if source == chosen), None)
    place = origins.source_for_all(
        context, list(sources.values()), (dataset, corpus, queries, qrels)
    )
    named: _Named = (None, None, None, None)
    if place is not None:
        named = (place.dataset, place.corpus, place.queries, place.qrels)
        dataset, qrels = place.dataset, place.qrels
    material = _material(sources, label, trace, named, (measure, asked_queries_only))
    files = _files(sources, trace, (dataset, qrels), material.context)
    page = render(build_page(material, limit, files))
    with write_text(output) as handle:
        handle.write(page)
    if output != STDIO:
        note(f"report: {output} ({len(page.encode()) / 1e6:.1f} MB)")


def _sources(runs: list[str], baseline: str | None) -> dict[str, str]:
    from rearank_cli.report.evaluated import label_sources

    return label_sources([*([baseline] if baseline and baseline not in runs else []), *runs])


_Named = tuple[str | None, str | None, str | None, str | None]
"""What the options say about the collection: dataset, corpus, queries, qrels."""


def _material(
    sources: dict[str, str],
    baseline: str | None,
    trace: str | None,
    named: _Named,
    measured: tuple[list[str] | None, bool],
) -> "Material":
    from rearank_cli.cli.wording import spelled
    from rearank_cli.collection import open_collection
    from rearank_cli.formats.trec import read_run
    from rearank_cli.report.context import gather
    from rearank_cli.report.evaluated import DEFAULT, Asked, measure_runs
    from rearank_cli.report.matching import check_trace
    from rearank_cli.report.material import HITS, Material
    from rearank_cli.report.story import load_trace

    collection = open_collection(*named) if any(named) else None
    loaded = load_trace(trace) if trace else None
    runs = {label: read_run(source) for label, source in sources.items()}
    rankings = [ranking for run in runs.values() for ranking in run.rankings.values()]
    rankings += [story.new for story in loaded.stories.values()] if loaded else []
    context = gather(collection, (doc for ranking in rankings for doc in ranking[:HITS]))
    name = collection.name if collection else ""
    check_trace(Material(runs, baseline, loaded, context, None), name)
    measures, only = measured
    evaluated = None
    if only and not context.queries:
        raise RearankError(
            "--asked-queries-only: expected a collection with queries, found none",
            hint="name it with -d NAME, or its queries with --queries FILE",
        )
    if context.judgements:
        asked = Asked(context.queries.keys, only) if context.queries else None
        chosen = measures or [DEFAULT]
        evaluated = measure_runs(runs, chosen, baseline, context.judgements, asked)
        evaluated = replace(evaluated, notes=tuple(map(spelled, evaluated.notes)))
    if only:
        context = context.of_asked_queries()
    return Material(runs, baseline, loaded, context, evaluated)


def _files(
    sources: dict[str, str],
    trace: str | None,
    judgements: tuple[str | None, str | None],
    context: "Context",
) -> list[tuple[str, str]]:
    """Return what the report was made from, with the hashes of files and judgements."""
    import shlex

    from rearank_cli.report.evaluated import file_hash, judgements_hash

    found = [("command", shlex.join(["rearank", *sys.argv[1:]]))]
    for name, source in [*sources.items(), *([("trace", trace)] if trace else [])]:
        found.append((name, f"{source} sha256:{file_hash(source) or 'not a file'}"))
    if context.judgements:
        dataset, qrels = judgements
        origin = qrels or dataset or ""
        found.append(("judgements", f"{origin} sha256:{judgements_hash(context.judgements.qrels)}"))
    return found
