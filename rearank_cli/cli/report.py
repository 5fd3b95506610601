"""`rearank report`: runs and a trace as one page to look at, several collections as several."""

import sys
from typing import Annotated

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.options import AskedQueriesOnly, Corpus, Dataset, Output, Qrels, Queries
from rearank_cli.errors import RearankError

EXAMPLES = """
Examples:

\b
  rearank report bm25.trec rearank.trec -d demo --trace rearank.trace.jsonl -o report.html
  rearank report runs/*.trec --qrels qrels.txt -m nDCG@10 -m R@100 -o report.html
  rearank report runs/*.trec --baseline bm25 -o report.html
"""


def command(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Runs in TREC format, plain or packed; - is stdin. NAME=FILE names one.",
        ),
    ],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    qrels: Qrels = None,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Trace of the run that the queries are about: its reasoning is shown. Of several "
            "collections the traces beside the runs are taken.",
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

    Runs of several collections get a page each, FILE.COLLECTION.html, and --output is their index.
    The file needs no network and opens from disk. Whatever it shows of passages, queries and
    reasoning is escaped, and its policy allows no script but its own.
    """
    from rearank_cli.cli.evaluating import runs_in
    from rearank_cli.cli.pages import Asked, page_of, write_several
    from rearank_cli.formats.files import STDIO, check_writable, write_text
    from rearank_cli.log import note
    from rearank_cli.report.html import render

    check_writable(output)
    if output == STDIO and sys.stdout.isatty():
        raise RearankError("expected a file for the page, found a terminal", hint="-o report.html")
    if STDIO in (trace, qrels):
        raise RearankError("expected files, found -", hint="a run alone can come from stdin")
    named = (dataset, corpus, queries, qrels)
    words = runs_in(runs)
    asked = Asked(trace, measure, asked_queries_only, limit, words.names)
    baseline = words.file_of(baseline)
    groups = origins.by_source(context, words.runs, named)
    if len(groups) > 1:
        write_several(groups, baseline, asked, output)
        return
    base = baseline or (words.runs[0] if len(runs) > 1 else None)
    page, _ = page_of(words.runs, base, groups[0].source, asked)
    html = render(page)
    with write_text(output) as handle:
        handle.write(html)
    if output != STDIO:
        note(f"report: {output} ({len(html.encode()) / 1e6:.1f} MB)")
