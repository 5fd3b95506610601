"""How evaluations are written: a table for people, TSV for programs."""

from collections.abc import Sequence
from typing import TextIO

from rearank_cli.evaluation.scoring import Evaluation

DIGITS = 4


def labels(sources: Sequence[str]) -> list[str]:
    """Return a short, distinct name for every run: the file's name without its endings."""
    short = [_stem(source) for source in sources]
    return [
        source if short.count(name) > 1 else name
        for source, name in zip(sources, short, strict=True)
    ]


def _stem(source: str) -> str:
    if source == "-":
        return "stdin"
    name = source.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    for ending in (".gz", ".trec", ".run", ".txt"):
        name = name.removesuffix(ending) or name
    return name


def write_tsv(handle: TextIO, evaluations: Sequence[Evaluation]) -> None:
    """Write one line per run and one column per measure, under a header."""
    handle.write("\t".join(["run", *evaluations[0].figures]) + "\n")
    for evaluation in evaluations:
        values = [f"{value:.{DIGITS}f}" for value in evaluation.figures.values()]
        handle.write("\t".join([evaluation.label, *values]) + "\n")


def write_table(handle: TextIO, evaluations: Sequence[Evaluation]) -> None:
    """Draw the same as a table for a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("run", no_wrap=True)
    for measure in evaluations[0].figures:
        table.add_column(measure, justify="right", no_wrap=True)
    for evaluation in evaluations:
        values = [f"{value:.{DIGITS}f}" for value in evaluation.figures.values()]
        table.add_row(evaluation.label, *values)
    Console(file=handle).print(table)
