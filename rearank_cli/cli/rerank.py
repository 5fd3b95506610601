"""`rearank rerank`: reorder a run with a language model, window by window."""

from dataclasses import replace
from typing import Annotated

import typer

from rearank_cli.cli.options import (
    Corpus,
    Dataset,
    ModelName,
    Output,
    PassageChars,
    Queries,
)

EXAMPLES = """\b
Examples:
  rearank rerank runs/demo.bm25.trec -d demo > runs/demo.rearank.trec
  rearank retrieve -d demo | rearank rerank - -d demo | rearank eval - -d demo
  rearank rerank run.trec --corpus docs.jsonl --queries topics.tsv -o out.trec
  rearank rerank run.trec -d demo --model ./my-model --adapter ./my-lora
  rearank rerank run.trec -d demo --base-url http://gpu1:8000/v1 --base-url http://gpu2:8000/v1
  rearank rerank run.trec -d demo --tensor-parallel-size 4 --engine-arg quantization=fp8
  rearank rerank run.trec -d demo --shard 2/8 -o part2.trec
  rearank rerank run.trec -d demo --strategy topdown --dry-run
"""
PROFILES = "the profile's"
UNCUT = 10**9  # characters: more than any passage has
_MODEL = "Model"
_SERVERS = "Servers"


def command(
    source: Annotated[str, typer.Argument(metavar="RUN", help="TREC run; - is stdin.")],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    depth: Annotated[int, typer.Option(help="Hits to rerank; the rest follow.")] = 100,
    window: Annotated[int, typer.Option(help="Passages that the model sees at once.")] = 20,
    stride: Annotated[int, typer.Option(help="Ranks from one window to the next.")] = 10,
    strategy: Annotated[
        str,
        typer.Option(
            metavar="sliding|topdown",
            help="Windows from the bottom up, or partitions against a pivot.",
        ),
    ] = "sliding",
    passes: Annotated[int, typer.Option(help="How often to go from bottom to top.")] = 1,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Windows in flight.", show_default="what keeps the engine full"),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only the I-th of N slices of the queries."),
    ] = None,
    prompt: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Prompt profile: rearank, rankgpt, qwen3, or a TOML file.",
            rich_help_panel=_MODEL,
        ),
    ] = "rearank",
    passage_chars: PassageChars = None,
    passage_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Cut texts at this many tokens instead of characters."),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Longest answer, in tokens.", show_default=PROFILES)
    ] = None,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.0,
    seed: Annotated[int, typer.Option(help="For temperatures above 0.")] = 0,
    model: ModelName = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="LoRA adapter on top of the model.", rich_help_panel=_MODEL
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="bfloat16, float16 …", show_default="the model's", rich_help_panel=_MODEL
        ),
    ] = None,
    max_model_len: Annotated[
        int | None,
        typer.Option(
            help="Context in tokens, prompt and answer together.",
            show_default="the model's",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    tensor_parallel_size: Annotated[
        int | None,
        typer.Option(help="GPUs to split the model over.", rich_help_panel=_MODEL),
    ] = None,
    engine_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Any other of vLLM's engine arguments, such as gpu_memory_utilization=0.8, "
            "data_parallel_size=4 or distributed_executor_backend=ray; repeatable.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            envvar="REARANK_BASE_URL",
            metavar="URL",
            help="OpenAI-compatible server instead of a model in this process; repeatable.",
            rich_help_panel=_SERVERS,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds for one request.", rich_help_panel=_SERVERS)
    ] = 600.0,
    deadline: Annotated[
        float,
        typer.Option(help="Seconds for one window with all its tries.", rich_help_panel=_SERVERS),
    ] = 1800.0,
    cache: Annotated[
        bool,
        typer.Option("--cache/--no-cache", help="Keep finished answers and use them again."),
    ] = True,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What the model saw, thought and answered, as JSON lines.",
            show_default="beside --output",
        ),
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Name of the run.", show_default="the model's name")
    ] = None,
    dry: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say how many windows and tokens it would take, and ask nothing."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the engine's log.")
    ] = False,
    output: Output = "-",
) -> None:
    """Reorder each query's hits with a language model that reads them in sliding windows.

    The run goes to stdout or --output, the model's reasoning to --trace.
    """
    from rearank_cli.cli.progress import Bar
    from rearank_cli.cli.provenance import provenance
    from rearank_cli.cli.reranking import (
        Job,
        Outputs,
        default_tag,
        dry_run,
        rerank,
        take_shard,
    )
    from rearank_cli.collection import open_collection
    from rearank_cli.engines.base import EngineSettings, Sampling
    from rearank_cli.engines.models import find_model
    from rearank_cli.engines.opening import (
        Where,
        check_urls,
        engine_arguments,
        make_dry_engine,
        make_engine,
        with_adapter,
    )
    from rearank_cli.engines.tokens import token_cutter
    from rearank_cli.formats.files import STDIO, display_name, write_text
    from rearank_cli.formats.trec import read_run
    from rearank_cli.recipes.recipe import advise, load_profile
    from rearank_cli.reranking.candidates import candidates, cut_passages
    from rearank_cli.reranking.reranker import Settings

    # Whatever can fail fails here, before the minutes that an engine needs to start.
    profile = load_profile(prompt)
    advise(profile, model)
    settings = Settings(depth, window, stride, passes, concurrency, passage_chars, strategy)
    sampling = Sampling(profile.max_tokens if max_tokens is None else max_tokens, temperature, seed)
    where = Where(check_urls(base_url or []), timeout, deadline, cache)
    arguments = engine_arguments(
        engine_arg or [],
        dtype=dtype,
        max_model_len=max_model_len,
        tensor_parallel_size=tensor_parallel_size,
        max_num_seqs=concurrency,
    )
    run = take_shard(read_run(source), shard)
    collection = open_collection(dataset, corpus, queries)
    work = candidates(run, display_name(source), collection, depth)
    found = find_model(model, served=bool(where.base_urls))
    if passage_tokens:
        work = cut_passages(work, token_cutter(found, passage_tokens))
        settings = replace(settings, passage_chars=passage_chars or UNCUT)
    outputs = Outputs(output, trace, tag or default_tag(found.name))
    bar = Bar()
    engine = with_adapter(
        EngineSettings(
            found, sampling, profile.chat_template, None, arguments, verbose, tell=bar.say
        ),
        adapter,
    )
    about = provenance(engine, profile, settings, work)
    job = Job(work, profile, settings, outputs, about)
    if dry:
        counts = dry_run(make_dry_engine(engine, where), job)
        with write_text(STDIO) as out:
            out.writelines(f"{name}\t{value}\n" for name, value in counts)
    else:
        rerank(make_engine(engine, where), job, bar)
