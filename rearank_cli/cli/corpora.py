"""What `retrieve` and `index` share: options, and which collection is meant."""

import os
from typing import Annotated

import typer

from rearank_cli.errors import RearankError

DatasetArgument = Annotated[
    str | None,
    typer.Argument(metavar="[DATASET]", help="Collection: an ir_datasets id, a folder, or 'demo'."),
]
DatasetsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATASET...]", help="Collections: ir_datasets ids, folders, or 'demo'."
    ),
]
DATASET_VARIABLE = "REARANK_DATASET"
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        "-d",
        envvar=DATASET_VARIABLE,
        metavar="NAME",
        help="Collection: an ir_datasets id, a BEIR-style folder, or 'demo'; repeatable. "
        "SHORT=NAME says what {collection} and tables call it.",
        rich_help_panel="Collection",
    ),
]
CorpusFrom = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Take the documents of this collection.",
        rich_help_panel="Collection",
    ),
]
Language = Annotated[
    str, typer.Option(metavar="CODE", help="Lucene's analyzer: en, ar, bn, fi, ja, zh …")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Processors to use.", show_default="all of them")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what Java and Lucene say.")]


def one_name(context: typer.Context, name: str | None, dataset: str | None) -> str | None:
    """Return the collection named as argument or by -d.

    An argument beats the environment and rearank.toml. Raises `RearankError` when both were typed
    and differ.
    """
    source = context.get_parameter_source("dataset")
    typed = source is not None and source.name == "COMMANDLINE"
    if name and dataset and name != dataset and typed:
        raise RearankError(f"expected one collection, found two: {name} and {dataset}")
    return name or dataset


def one_corpus(corpus: str | None, corpus_from: str | None) -> str | None:
    """Return the documents' place as `open_collection` takes it; raise when there are two."""
    if corpus and corpus_from:
        raise RearankError("expected one corpus, found two: --corpus and --corpus-from")
    return f"from:{corpus_from}" if corpus_from else corpus


def names_of(
    context: typer.Context, names: list[str] | None, datasets: list[str] | None
) -> list[str | None]:
    """Return the collections named as arguments or by -d, each once; `[None]` where there is none.

    Arguments beat the environment and rearank.toml. Raises `RearankError` when both were typed
    and differ.
    """
    source = context.get_parameter_source("dataset")
    where = source.name if source else ""
    if where == "ENVIRONMENT":  # Click takes several values apart at spaces; a path may have one
        datasets = [os.environ[DATASET_VARIABLE]]
    if names and datasets and where == "COMMANDLINE" and set(names) != set(datasets):
        both = ", ".join([*names, *datasets])
        raise RearankError(f"expected collections as arguments or by -d, found both: {both}")
    found: list[str | None] = [*(names or datasets or ())]
    return list(dict.fromkeys(found)) or [None]
