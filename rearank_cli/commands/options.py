"""Options that several commands share, so that they read alike everywhere."""

from typing import Annotated

import typer

Dataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        envvar="REARANK_DATASET",
        metavar="NAME",
        help="Collection: an ir_datasets id, a BEIR-style folder, or 'demo'.",
        rich_help_panel="Collection",
    ),
]
Corpus = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Documents: JSONL (_id, title, text) or TSV (doc_id, text).",
        rich_help_panel="Collection",
    ),
]
Queries = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Queries: JSONL (_id, text) or TSV (query_id, text).",
        rich_help_panel="Collection",
    ),
]
Qrels = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Judgements: TREC qrels or BEIR TSV.",
        rich_help_panel="Collection",
    ),
]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write; - is stdout."),
]
