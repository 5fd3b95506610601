"""`rearank eval`: measure runs against judgements."""

from pathlib import Path
from typing import Annotated

import typer

from rearank_cli.commands.options import Dataset, Output, Qrels
from rearank_cli.errors import RearankError
from rearank_cli.records import Qrel
from rearank_cli.trec import group_qrels, read_qrels, read_run

EXAMPLES = """
Examples:

\b
  rearank eval runs/bm25.trec -d demo
  rearank eval runs/*.trec --qrels qrels.txt -m nDCG@10 -m 'RR(rel=2)@10' -m R@100
  rearank retrieve -d demo | rearank eval - -d demo
"""


def command(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs in TREC format, also .gz; - is stdin."),
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
    output: Output = "-",
) -> None:
    """Measure runs against relevance judgements.

    Values are those of ir_measures and trec_eval. Every judged query counts; a query that a run
    lacks gets 0 (trec_eval -c). Prints a table on a terminal and TSV elsewhere.
    """
    import sys

    from rearank_cli.evaluation import formats
    from rearank_cli.evaluation.measures import DEFAULT, parse_measures
    from rearank_cli.evaluation.scoring import Scorer
    from rearank_cli.files import STDIO, check_writable, write_text

    check_writable(output)
    measures = parse_measures(measure or [DEFAULT])
    scorer = Scorer(group_qrels(_judgements(dataset, qrels)), measures)
    evaluations = []
    for label, source in zip(formats.labels(runs), runs, strict=True):
        run = read_run(source)
        scores = {
            query_id: dict(zip(ranking, run.scores[query_id], strict=True))
            for query_id, ranking in run.rankings.items()
        }
        evaluations.append(scorer.evaluate(label, scores))
    write = formats.write_tsv
    if output == STDIO and sys.stdout.isatty():
        write = formats.write_table
    with write_text(output) as handle:
        write(handle, evaluations)


def _judgements(dataset: str | None, qrels: str | None) -> list[Qrel]:
    """Read the judgements without touching a collection's documents."""
    if qrels is None and dataset is None:
        raise RearankError(
            "expected relevance judgements, found neither --qrels nor --dataset",
            hint="name a file with --qrels FILE or a collection with -d NAME",
        )
    if qrels is not None and (dataset is None or Path(qrels).is_file()):
        return read_qrels(qrels)
    from rearank_cli.collection import open_collection

    return open_collection(dataset, qrels=qrels).qrels()
