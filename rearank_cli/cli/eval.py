"""`rearank eval`: measure runs against judgements."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rearank_cli.cli.options import AskedQueriesOnly, Dataset, Output, Qrels
from rearank_cli.errors import RearankError
from rearank_cli.evaluation.style import Format, Style, Ties
from rearank_cli.formats.files import STDIO, check_writable, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rearank_cli.cli.evaluating import Group
    from rearank_cli.collection import Judgements
    from rearank_cli.evaluation.asked import Asked
    from rearank_cli.evaluation.inquiry import Inquiry, Report
    from rearank_cli.evaluation.several import Column

EXAMPLES = """
Examples:

\b
  rearank eval runs/bm25.trec -d demo
  rearank eval runs/*.trec --qrels qrels.txt -m nDCG@10 -m 'RR(rel=2)@10' -m R@100
  rearank eval runs/rearank.trec --baseline runs/bm25.trec -d demo --diff
  rearank eval runs/*.trec -d demo --baseline runs/bm25.trec --format latex
  rearank retrieve -d demo | rearank eval - -d demo
"""

TableFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        "-f",
        help="Default: table on a terminal, tsv elsewhere.",
        show_default=False,
    ),
]
Digits = Annotated[int, typer.Option(min=0, max=17, help="Decimals; json has all.")]


def command(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Runs in TREC format, plain or packed (- is stdin), and what judges them where "
            "they do not know their collection. NAME=FILE names one.",
        ),
    ],
    dataset: Dataset = None,
    qrels: Qrels = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "-m",
            metavar="MEASURE",
            help="Any measure of ir_measures, e.g. nDCG@10, RR(rel=2)@10, R@100; repeatable. "
            "Default: nDCG@10.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Compare every run with this one: differences, wins/ties/losses, paired t-test "
            "and randomization test (two-sided, Holm's correction over the runs), Cohen's d.",
        ),
    ] = None,
    per_query: Annotated[
        bool,
        typer.Option("--per-query", help="Write the values by query instead (tsv, csv, json)."),
    ] = False,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff", help="List the queries that gained and lost most against --baseline."
        ),
    ] = False,
    judged_queries_only: Annotated[
        bool,
        typer.Option(
            "--judged-queries-only",
            help="Average over the judged queries that a run has (trec_eval without -c), instead "
            "of all judged queries.",
        ),
    ] = False,
    asked_queries_only: AskedQueriesOnly = False,
    drop_unjudged: Annotated[
        bool,
        typer.Option(
            "--drop-unjudged", help="Drop documents without a judgement (condensed lists)."
        ),
    ] = False,
    ties: Annotated[
        Ties,
        typer.Option(
            help="Order of equal scores: by doc id as trec_eval does, or by the rank column."
        ),
    ] = Ties.DOCID,
    format: TableFormat = None,  # noqa: A002  the option's name
    digits: Digits = 4,
    output: Output = STDIO,
) -> None:
    """Measure runs against relevance judgements.

    Values are those of ir_measures and trec_eval. Every judged query counts; a query that a run
    lacks gets 0 (trec_eval -c). Documents with a relevance of -100 are excluded (BRIGHT).
    """
    from rearank_cli.cli.evaluating import grouped, sorted_out
    from rearank_cli.cli.wording import spelled
    from rearank_cli.collection import open_collection
    from rearank_cli.evaluation.evaluate import inquire
    from rearank_cli.evaluation.given import judgements_of
    from rearank_cli.evaluation.inquiry import Inquiry
    from rearank_cli.evaluation.labels import runs_by_label
    from rearank_cli.evaluation.measures import DEFAULT, parse_measures
    from rearank_cli.evaluation.writing import write_report, write_several

    check_writable(output)
    words = sorted_out(runs, dataset, qrels)
    baseline = words.file_of(baseline)
    groups = grouped(context, words, baseline)
    _check(words.runs, words.qrels, baseline, diff)
    style = Style(format or default_format(output, per_query), digits, per_query)

    def report_of(group: "Group", base: str | None) -> "tuple[Report, Inquiry, Judgements]":
        given = [base] if base and base not in group.runs else []
        sources, labels = runs_by_label([*given, *group.runs], group.names)
        request = Inquiry(
            sources,
            parse_measures(measure or [DEFAULT]),
            labels.get(base or ""),
            judged_queries_only,
            drop_unjudged,
            ties,
            _asked(group.dataset, group.qrels, asked_queries_only),
        )
        # A name of -d is a collection, even where a file of that name lies about.
        judgements = judgements_of(group.qrels or open_collection(group.dataset))
        report = inquire(request, judgements)
        report = replace(report, notes=tuple(map(spelled, report.notes)))
        return report, request, judgements

    if len(groups) > 1:
        if per_query or diff:
            raise RearankError("--per-query and --diff are about one collection, found several")
        columns = [_column(group, baseline, report_of) for group in groups]
        with write_text(output) as handle:
            write_several(handle, columns, style)
        return
    only = groups[0]
    if diff:
        style = replace(style, diff=_texts(only.dataset))
    report, request, judgements = report_of(only, baseline)
    name = only.qrels or only.dataset or ""
    origin = _origin(name, judgements) if style.format is Format.JSON else {}
    with write_text(output) as handle:
        write_report(handle, report, request, origin, style)


def _column(
    group: "Group",
    baseline: str | None,
    report_of: "Callable[[Group, str | None], tuple[Report, Inquiry, Judgements]]",
) -> "Column":
    """Return one collection's column; its baseline is the run that is named alike."""
    from rearank_cli.cli.evaluating import baseline_in, column_name, rows_of
    from rearank_cli.evaluation.several import Column

    base = None if baseline is None else baseline_in(group, baseline)
    report, _, _ = report_of(group, base)
    rows = rows_of(group)
    systems = {item.label: rows.get(item.label, item.label) for item in report.evaluations}
    return Column(column_name(group), report, systems)


def _check(runs: list[str], qrels: str | None, baseline: str | None, diff: bool) -> None:
    """Raise `RearankError` for options that do not go together."""
    if [*runs, baseline if baseline not in runs else None, qrels].count(STDIO) > 1:
        raise RearankError("expected one input from stdin, found - more than once")
    if diff and baseline is None:
        raise RearankError("--diff needs a run to compare with", hint="name it with --baseline RUN")


def default_format(output: str, per_query: bool) -> Format:
    """Return a table for a person at a terminal, and lines for whatever else reads them."""
    terminal = output == STDIO and sys.stdout.isatty() and not per_query
    return Format.TABLE if terminal else Format.TSV


def _asked(dataset: str | None, qrels: str | None, only: bool) -> "Asked | None":
    """Return the queries of the collection that was named, if one was."""
    from rearank_cli.collection import open_collection
    from rearank_cli.evaluation.asked import Asked

    name = dataset or (qrels if qrels and qrels != STDIO and not Path(qrels).is_file() else None)
    if name is not None:
        return Asked(lambda: open_collection(name).queries().keys(), only)
    if only:
        raise RearankError(
            "--asked-queries-only: expected a collection, found none",
            hint="name the one whose queries were asked with -d NAME",
        )
    return None


def _origin(source: str, judgements: "Judgements") -> dict[str, str | None]:
    """Say which judgements these were, so that others can check that they have the same."""
    from rearank_cli.evaluation.provenance import file_hash, judgements_hash

    return {
        "source": source,
        "sha256": file_hash(source),
        "sha256_of_sorted_judgements": judgements_hash(judgements.qrels),
    }


def _texts(dataset: str | None) -> dict[str, str]:
    """Return the texts of a collection's queries; none without a collection."""
    if dataset is None:
        return {}
    from rearank_cli.collection import open_collection

    return {query.query_id: query.text for query in open_collection(dataset).queries().values()}
