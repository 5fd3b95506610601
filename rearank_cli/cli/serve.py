"""`rearank serve`: the reranker behind an address, for applications and agents."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from rearank_cli.cli.options import (
    RECIPES,
    Adapter,
    BaseUrl,
    Cache,
    Concurrency,
    Corpus,
    Dataset,
    EngineVerbose,
    GpusPerReplica,
    MaxTokens,
    ModelName,
    PassageChars,
    Ray,
    Replicas,
)
from rearank_cli.errors import RearankError

if TYPE_CHECKING:  # the library stays out of --help
    from rearank_cli.serving.retrieval import Searcher

EXAMPLES = """\b
Examples:
  rearank serve
  rearank serve --model Qwen/Qwen3-8B --recipe qwen3 --port 9000
  rearank serve --base-url http://gpu1:8000/v1 --base-url http://gpu2:8000/v1 --model NAME
  rearank serve --model le723z/Rearank-7B --ray auto --replicas 4
  rearank serve --host 0.0.0.0 --api-key-file keys.txt
  rearank serve -d demo
  rearank serve -d demo --mcp
"""
_MODEL = "Model"
_SERVERS = "Servers"
_LIMITS = "Limits"
_ACCESS = "Access"
CLUSTER_DEADLINE = 1800.0
"""Seconds in which a replica must come, at the start and later."""


def command(
    host: Annotated[
        str, typer.Option(help="Address to listen on.", rich_help_panel=_ACCESS)
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port; 0 takes a free one.", rich_help_panel=_ACCESS),
    ] = 8321,
    api_key_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Keys that requests must bring, one a line.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    allow_anyone: Annotated[
        bool,
        typer.Option(
            "--allow-anyone",
            help="Listen where others can reach it without keys.",
            rich_help_panel=_ACCESS,
        ),
    ] = False,
    mcp: Annotated[
        bool,
        typer.Option("--mcp", help="Speak MCP on stdin and stdout instead of HTTP."),
    ] = False,
    dataset: Dataset = None,
    corpus: Corpus = None,
    queue: Annotated[
        int,
        typer.Option(help="Requests under way at once; others get 429.", rich_help_panel=_LIMITS),
    ] = 256,
    deadline: Annotated[
        float, typer.Option(help="Seconds for one request.", rich_help_panel=_LIMITS)
    ] = 300.0,
    grace: Annotated[
        float,
        typer.Option(help="Seconds for requests under way after SIGTERM.", rich_help_panel=_LIMITS),
    ] = 60.0,
    max_documents: Annotated[
        int, typer.Option(help="Documents of one request.", rich_help_panel=_LIMITS)
    ] = 1000,
    max_characters: Annotated[
        int,
        typer.Option(
            help="Characters of one request's query and documents.", rich_help_panel=_LIMITS
        ),
    ] = 1_000_000,
    log_requests: Annotated[
        bool,
        typer.Option(
            "--log-requests",
            help="Write the texts of requests to the log.",
            rich_help_panel=_ACCESS,
        ),
    ] = False,
    depth: Annotated[
        int, typer.Option(help="Documents that the model reads; the rest follow.")
    ] = 100,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="sliding, topdown, setwise, groups or pointwise.",
            show_default=RECIPES,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(help="Passages shown at once.", show_default=RECIPES + ", else 20"),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            help="Ranks from one window to the next (sliding).", show_default="half the window"
        ),
    ] = None,
    concurrency: Concurrency = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="How the model is asked: a name that `rearank recipe list` tells, or a TOML file.",
            show_default="the one for the model, else rearank",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    passage_chars: PassageChars = None,
    max_tokens: MaxTokens = None,
    model: ModelName = None,
    adapter: Adapter = None,
    engine_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Any of vLLM's engine arguments, such as max_model_len=8192 or "
            "tensor_parallel_size=2; repeatable.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    base_url: BaseUrl = None,
    timeout: Annotated[
        float,
        typer.Option(help="Seconds for one window on a server.", rich_help_panel=_SERVERS),
    ] = 120.0,
    ray: Ray = None,
    replicas: Replicas = None,
    gpus_per_replica: GpusPerReplica = None,
    cache: Cache = True,
    verbose: EngineVerbose = False,
) -> None:
    """Answer rerank requests over HTTP, in the shapes of common rerank services, and over MCP.

    SIGTERM and Ctrl-C end it when all requests under way are answered.
    """
    _check_installed()
    from rearank_cli.cli import interrupt
    from rearank_cli.cli.redirect import EngineOutput
    from rearank_cli.cli.rerank import tell_recipe
    from rearank_cli.engines.opening import engine_arguments
    from rearank_cli.log import note
    from rearank_cli.reranking.reranker import Reranker
    from rearank_cli.serving.app import Access
    from rearank_cli.serving.auth import Keys, check_open, is_local, read_keys
    from rearank_cli.serving.limits import Limits
    from rearank_cli.serving.server import bind, serve_http, serve_stdio
    from rearank_cli.serving.service import Service

    # Whatever can fail fails here, before the minutes that an engine needs to start.
    keys = read_keys(api_key_file) if api_key_file else Keys()
    limits = Limits(queue, deadline, grace, max_documents, max_characters)
    reranker = Reranker(
        model,
        recipe=recipe,
        asking={"passage_chars": passage_chars, "max_tokens": max_tokens},
        method=method,
        numbers={"window": window, "stride": stride},
        depth=depth,
        base_urls=base_url or [],
        timeout=timeout,
        ray=ray,
        replicas=replicas,
        gpus_per_replica=gpus_per_replica,
        # A cluster has all the time for its first replica; requests have their own deadline.
        deadline=max(deadline, CLUSTER_DEADLINE) if ray else deadline,
        adapter=adapter,
        engine_args=engine_arguments(engine_arg or [], max_num_seqs=concurrency),
        cache=cache,
        log=EngineOutput(verbose),
        tell=note,
    )
    tell_recipe(reranker)
    reranker.check()
    reranker.settings = replace(reranker.settings, concurrency=concurrency)
    service = Service(reranker, limits, _searcher(dataset, corpus))
    if mcp:
        interrupt.run(serve_stdio(service))
        return
    check_open(host, keys, allow_anyone)
    address = bind(host, port)
    access = Access(keys, is_local(host), log_requests)
    asyncio.run(serve_http(service, access, address))


def _check_installed() -> None:
    """Raise `RearankError` where the extra is missing."""
    try:
        import fastapi  # noqa: F401
        import mcp  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise RearankError(
            f"rearank serve needs the package {error.name}",
            hint="pip install 'rearank-cli[serve]'",
        ) from error


def _searcher(dataset: str | None, corpus: str | None) -> "Searcher | None":
    """Return what searches the collection, where one was named."""
    if not dataset and not corpus:
        return None
    from rearank_cli.collection import open_collection
    from rearank_cli.serving.retrieval import Searcher

    return Searcher(open_collection(dataset, corpus))
