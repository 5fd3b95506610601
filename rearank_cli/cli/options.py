"""Options that several commands share, so that they read alike everywhere."""

from typing import Annotated

import typer

RECIPES = "the recipe's"
"""Where a default comes from."""

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
AskedQueriesOnly = Annotated[
    bool,
    typer.Option(
        "--asked-queries-only",
        help="Leave out judged queries that are not in the collection's queries.",
    ),
]
PassageChars = Annotated[
    int | None,
    typer.Option(help="Cut passages at this many characters.", show_default=RECIPES),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="REARANK_MODEL",
        metavar="NAME",
        help="Folder, hub id, smollm2-135m, or a server's name for it.",
        show_default="le723z/Rearank-7B with a GPU of 20 GB, else smollm2-135m",
        rich_help_panel="Model",
    ),
]
BaseUrl = Annotated[
    list[str] | None,
    typer.Option(
        envvar="REARANK_BASE_URL",
        metavar="URL",
        help="OpenAI-compatible server instead of a model in this process; repeatable.",
        rich_help_panel="Servers",
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="auto|ADDRESS",
        help="Run the model on a Ray cluster: this machine's, or the one at HOST:PORT.",
        rich_help_panel="Cluster",
    ),
]
Replicas = Annotated[
    str | None,
    typer.Option(
        metavar="N|max",
        help="Copies of the model on the cluster.",
        show_default="max: as many as fit",
        rich_help_panel="Cluster",
    ),
]
GpusPerReplica = Annotated[
    int | None,
    typer.Option(
        help="GPUs of each copy; 0 is a CPU.",
        show_default="1 where the cluster has any",
        rich_help_panel="Cluster",
    ),
]
RerankUrl = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="Server that scores instead, with /rerank or /score (vLLM, Cohere, Jina, TEI); "
        "repeatable.",
        rich_help_panel="Servers",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="LoRA adapter on top of the model; none: without the one that a recipe has.",
        rich_help_panel="Model",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(help="Windows in flight.", show_default="what keeps the engine full"),
]
MaxTokens = Annotated[
    int | None, typer.Option(help="Longest answer, in tokens.", show_default=RECIPES)
]
Cache = Annotated[
    bool,
    typer.Option("--cache/--no-cache", help="Keep finished answers and use them again."),
]
EngineVerbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the engine's log.")]
