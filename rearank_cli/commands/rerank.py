"""`rearank rerank`: reorder a run with a language model, window by window."""

from typing import Annotated

import typer

from rearank_cli.commands.options import Corpus, Dataset, Output, Queries

EXAMPLES = """\b
Examples:
  rearank rerank runs/demo.bm25.trec -d demo > runs/demo.rearank.trec
  rearank retrieve -d demo | rearank rerank - -d demo | rearank eval - -d demo
  rearank rerank run.trec --corpus docs.jsonl --queries topics.tsv -o out.trec
  rearank rerank run.trec -d demo --model ./my-model --window 10 --stride 5
"""


def command(
    source: Annotated[str, typer.Argument(metavar="RUN", help="TREC run; - is stdin.")],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            envvar="REARANK_MODEL",
            metavar="NAME",
            help="Folder, hub id, or smollm2-135m. "
            "Default: le723z/Rearank-7B with a GPU, else smollm2-135m.",
            rich_help_panel="Model",
        ),
    ] = None,
    prompt: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Prompt profile: rearank, rankgpt, qwen3, or a TOML file.",
            rich_help_panel="Model",
        ),
    ] = "rearank",
    depth: Annotated[int, typer.Option(help="Hits to rerank; the rest follow.")] = 100,
    window: Annotated[int, typer.Option(help="Passages that the model sees at once.")] = 20,
    stride: Annotated[int, typer.Option(help="Ranks from one window to the next.")] = 10,
    passes: Annotated[int, typer.Option(help="How often to go from bottom to top.")] = 1,
    passage_chars: Annotated[
        int | None,
        typer.Option(help="Cut passages at this many characters.", show_default="the profile's"),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Longest answer, in tokens.", show_default="the profile's")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 is greedy.", rich_help_panel="Model")
    ] = 0.0,
    seed: Annotated[
        int, typer.Option(help="For temperatures above 0.", rich_help_panel="Model")
    ] = 0,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Windows in flight.", show_default="what keeps the engine full"),
    ] = None,
    engine_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Any of vLLM's engine arguments, such as max_model_len=8192; repeatable.",
            rich_help_panel="Model",
        ),
    ] = None,
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
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the engine's log.")
    ] = False,
    output: Output = "-",
) -> None:
    """Reorder each query's hits with a language model that reads them in sliding windows.

    The run goes to stdout or --output, the model's reasoning to --trace.
    """
    from rearank_cli.collection import open_collection
    from rearank_cli.commands.provenance import provenance
    from rearank_cli.commands.reranking import Job, Outputs, default_tag, rerank
    from rearank_cli.engines.base import EngineSettings, Sampling
    from rearank_cli.engines.models import default_model, resolve_model
    from rearank_cli.engines.opening import parse_engine_args
    from rearank_cli.engines.vllm import VllmEngine
    from rearank_cli.files import display_name
    from rearank_cli.listwise.candidates import candidates
    from rearank_cli.listwise.prompt import load_profile
    from rearank_cli.listwise.reranker import Settings
    from rearank_cli.trec import read_run

    # Whatever can fail fails here, before the minutes that an engine needs to start.
    profile = load_profile(prompt)
    settings = Settings(depth, window, stride, passes, concurrency, passage_chars)
    engine_args = parse_engine_args(engine_arg or [])
    name = model or default_model()
    outputs = Outputs(output, trace, tag or default_tag(name))
    collection = open_collection(dataset, corpus, queries)
    run = read_run(source)
    work = candidates(run, display_name(source), collection, depth)
    engine = EngineSettings(
        model=resolve_model(name),
        sampling=Sampling(max_tokens or profile.max_tokens, temperature, seed),
        chat_template=profile.chat_template,
        engine_args=engine_args,
        verbose=verbose,
    )
    about = provenance(engine, profile, settings, work)
    rerank(VllmEngine(engine), Job(work, profile, settings, outputs, about))
