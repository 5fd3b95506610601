"""`rearank check`: hold runs against the figures that they are expected to reach."""

from typing import Annotated

import typer

from rearank_cli.cli.eval import Digits, TableFormat, default_format
from rearank_cli.cli.options import Dataset, Output, Qrels
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, check_writable, write_text

EXAMPLES = """\b
Examples:
  rearank check runs/dl19.rearank.trec -d msmarco-passage/trec-dl-2019/judged --expect REARANK-7B
  rearank check runs/nfcorpus.bm25.trec -d beir/nfcorpus/test --expect BM25 --tolerance 0.02
  rearank check runs/new.trec -d my-folder --expect expected.toml --format json
"""
SHORT = 3
"""The exit code when a run falls short."""


def command(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Runs in TREC format (- is stdin), and what judges them where they do not know "
            "their collection.",
        ),
    ],
    expect: Annotated[
        str,
        typer.Option(
            metavar="FILE|NAME",
            help="What is expected: a TOML file, a model of the paper's tables, or a recipe.",
        ),
    ],
    dataset: Dataset = None,
    qrels: Qrels = None,
    collection_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the collection is called among the expectations.",
            show_default="as -d or the run's origin names it",
            rich_help_panel="Collection",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="How much less still passes, as a fraction of 1.",
            show_default="the expectation's, else 0.005",
        ),
    ] = None,
    judged_queries_only: Annotated[
        bool,
        typer.Option(
            "--judged-queries-only",
            help="Average over the judged queries that a run has (trec_eval without -c).",
        ),
    ] = False,
    format: TableFormat = None,  # noqa: A002  the option's name
    digits: Digits = 4,
    output: Output = STDIO,
) -> None:
    """Measure runs as eval does, and compare them with figures that are expected.

    Runs of several collections are held against the figures of each.

    Exit code 3 when a figure falls short by more than the tolerance. One that is higher passes; the
    table says `above` where it is so by more than the tolerance.
    """
    from rearank_cli.cli.evaluating import grouped, sorted_out
    from rearank_cli.collection import open_collection
    from rearank_cli.evaluation.checking import hold, write_outcomes
    from rearank_cli.evaluation.evaluate import inquire
    from rearank_cli.evaluation.expected import expectations, select
    from rearank_cli.evaluation.given import judgements_of
    from rearank_cli.evaluation.inquiry import Inquiry
    from rearank_cli.evaluation.labels import runs_by_label
    from rearank_cli.evaluation.measures import parse_measures

    check_writable(output)
    words = sorted_out(runs, dataset, qrels)
    groups = grouped(context, words, None)
    if [*words.runs, words.qrels].count(STDIO) > 1:
        raise RearankError("expected one input from stdin, found - more than once")
    if collection_name and len(groups) > 1:
        raise RearankError(f"--collection-name: expected one collection, found {len(groups)}")
    known = expectations(expect)
    asked = [(each, select(known, collection_name or each.name)) for each in groups]
    outcomes = []
    for group, expected in asked:
        request = Inquiry(
            runs_by_label(group.runs, group.names)[0],
            parse_measures(each.measure for each in expected),
            judged_queries_only=judged_queries_only,
        )
        report = inquire(request, judgements_of(group.qrels or open_collection(group.dataset)))
        outcomes += hold(report, expected, collection_name or group.name, tolerance)
    with write_text(output) as handle:
        write_outcomes(handle, outcomes, expect, format or default_format(output, False), digits)
    if any(outcome.verdict == "short" for outcome in outcomes):
        raise typer.Exit(SHORT)
