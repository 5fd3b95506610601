"""`rearank rerank`: reorder a run with a language model, window by window."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.machine import Progress
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
    Output,
    PassageChars,
    Queries,
    Ray,
    Replicas,
    RerankUrl,
)
from rearank_cli.cli.summing import check_beside, tell_summary
from rearank_cli.errors import EngineError, RearankError
from rearank_cli.log import error as complain
from rearank_cli.log import note

if TYPE_CHECKING:  # the library stays out of --help
    from rearank_cli.cli.jobs import Prepared
    from rearank_cli.cli.terminal import Bar
    from rearank_cli.reranking.chain import Candidates
    from rearank_cli.reranking.files import Failure
    from rearank_cli.reranking.reranker import Reranker

EXAMPLES = """\b
Examples:
  rearank rerank runs/demo.bm25.trec -d demo > runs/demo.rearank.trec
  rearank retrieve -d demo | rearank rerank - -d demo | rearank eval - -d demo
  rearank rerank run.trec --corpus docs.jsonl --queries topics.tsv -o out.trec
  rearank rerank run.trec -d demo --model ./my-model --adapter ./my-lora
  rearank rerank run.trec -d demo --base-url http://gpu1:8000/v1 --base-url http://gpu2:8000/v1
  rearank rerank run.trec -d demo --rerank-url http://gpu1:8000 --model BAAI/bge-reranker-v2-m3
  rearank rerank run.trec -d demo --tensor-parallel-size 4 --engine-arg quantization=fp8
  rearank rerank run.trec -d demo --ray auto --replicas max --gpus-per-replica 1
  rearank rerank run.trec -d demo --shard 2/8 -o part2.trec
  rearank rerank run.trec -d demo --method topdown --dry-run
"""
_METHOD = "Method"
_MODEL = "Model"
_SERVERS = "Servers"


def command(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN...",
            help="TREC runs, and the collection where they do not know it; - is stdin.",
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="No run: order the lines of --docs, or of stdin, by this query; scores first.",
        ),
    ] = None,
    docs: Annotated[
        str, typer.Option(metavar="FILE", help="A text on each line, for --query.")
    ] = "-",
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    depth: Annotated[int, typer.Option(help="Hits to rerank; the rest follow.")] = 100,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            "--strategy",
            metavar="NAME",
            help="sliding, topdown, setwise, groups or pointwise.",
            show_default=RECIPES,
            rich_help_panel=_METHOD,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            help="Passages shown at once (sliding, topdown, groups).",
            show_default=RECIPES + ", else 20",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            help="Ranks from one window to the next (sliding).",
            show_default="half the window",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    pivot: Annotated[
        int | None,
        typer.Option(
            help="The pivot's rank in the top window (topdown).",
            show_default="half the window",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    children: Annotated[
        int | None,
        typer.Option(
            help="Passages compared with one at a time (setwise).",
            show_default="19",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="heap|bubble",
            help="How the best are found (setwise).",
            show_default="heap",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            help="Best ranks to get right (topdown, setwise; sliding: answers end with them).",
            show_default="10; sliding: all",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="Ask so many times and merge (all but setwise).",
            show_default="1",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    shuffle: Annotated[
        bool | None,
        typer.Option(
            "--shuffle/--no-shuffle",
            help="Show further samples in other orders (sliding, topdown, groups).",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            help="Add this times the model's score to the run's z-scores (pointwise).",
            show_default="the model's score alone",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    first_stage: Annotated[
        float | None,
        typer.Option(
            metavar="WEIGHT",
            help="Weight of the run's z-scores against the model's, 0 to 1 (pointwise).",
            show_default="the model's score alone",
            rich_help_panel=_METHOD,
        ),
    ] = None,
    passes: Annotated[int, typer.Option(help="How often to go from bottom to top.")] = 1,
    concurrency: Concurrency = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only the I-th of N slices of the queries."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "--prompt",
            metavar="NAME|FILE",
            help="How the model is asked: a name that `rearank recipe list` tells, or a TOML file.",
            show_default="the one for the model, else rearank",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    passage_chars: PassageChars = None,
    passage_words: Annotated[
        int | None, typer.Option(min=1, help="Cut texts at this many words instead.")
    ] = None,
    passage_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Cut texts at this many tokens instead of characters."),
    ] = None,
    max_tokens: MaxTokens = None,
    max_thinking_tokens: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Longest reasoning; then it is closed, and an answer follows.",
            show_default=RECIPES,
        ),
    ] = None,
    force_format: Annotated[
        bool | None,
        typer.Option(
            "--force-format/--no-force-format",
            help="Keep answers to their form, such as [2] > [1], by a grammar (vLLM).",
            show_default=RECIPES,
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="0 is greedy.", show_default=RECIPES)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="For temperatures above 0.", show_default=RECIPES)
    ] = None,
    model: ModelName = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="vllm|transformers",
            help="What runs a model in this process.",
            show_default="vllm; transformers for likelihoods without a GPU",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    adapter: Adapter = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="bfloat16, float16 …",
            show_default="the model's; on a CPU the faster one",
            rich_help_panel=_MODEL,
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
    base_url: BaseUrl = None,
    rerank_url: RerankUrl = None,
    server_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A field of every request, such as reasoning_effort=low; without a value "
            "(temperature=) the field is left out; repeatable.",
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
    ray: Ray = None,
    replicas: Replicas = None,
    gpus_per_replica: GpusPerReplica = None,
    cache: Cache = True,
    trace: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What the model saw, thought and answered, as JSON lines.",
            show_default="beside --output",
        ),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(help="Name of the run.", show_default="the stem of -o, else recipe-model"),
    ] = None,
    dry: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say how many windows and tokens it would take, and ask nothing."
        ),
    ] = False,
    summary: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write counts, flaws, tokens and seconds as JSON, too."),
    ] = None,
    progress: Annotated[
        Progress, typer.Option(help="json: everything on stderr is a line of JSON.")
    ] = Progress.AUTO,
    verbose: EngineVerbose = False,
    meta: origins.NoMeta = True,
    output: Output = "-",
    output_dir: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write each run there, under the name of its RUN."),
    ] = None,
) -> None:
    """Reorder each query's hits with a language model that reads them.

    The run goes to stdout or --output, the model's reasoning to --trace.
    """
    from rearank_cli.cli.jobs import Wanted, prepare, read_all, runs_and_name
    from rearank_cli.cli.redirect import EngineOutput
    from rearank_cli.cli.terminal import listener
    from rearank_cli.engines.opening import engine_arguments, server_arguments
    from rearank_cli.reranking.reranker import Reranker

    # Whatever can fail fails here, before the minutes that an engine needs to start.
    bar = listener(progress)
    if not runs and query is None:
        raise RearankError(
            "rearank rerank: expected RUN, found nothing", hint="rearank rerank --help"
        )
    if runs and query is not None:
        raise RearankError(f"expected a run or --query, found both: {runs[0]}")
    files, name = runs_and_name(runs or [], dataset)
    named = (name or dataset, corpus, queries)
    wanted = Wanted(context, files, named, shard, output, output_dir, trace, tag, meta)
    given = read_all(wanted, depth)
    reranker = Reranker(
        model,
        recipe=recipe,
        asking={
            "passage_chars": passage_chars,
            "passage_words": passage_words,
            "passage_tokens": passage_tokens,
            "max_tokens": max_tokens,
            "max_thinking_tokens": max_thinking_tokens,
            "force_format": force_format,
            "temperature": temperature,
            "seed": seed,
        },
        method=method,
        numbers={
            "window": window,
            "stride": stride,
            "pivot": pivot,
            "children": children,
            "sort": sort,
            "top": top,
            "samples": samples,
            "shuffle": shuffle,
            "scale": scale,
            "first_stage": first_stage,
        },
        depth=depth,
        passes=passes,
        engine_name=engine or "",
        base_urls=base_url or [],
        rerank_urls=rerank_url or [],
        ray=ray,
        replicas=replicas,
        gpus_per_replica=gpus_per_replica,
        timeout=timeout,
        deadline=deadline,
        adapter=adapter,
        engine_args=engine_arguments(
            engine_arg or [],
            dtype=dtype,
            max_model_len=max_model_len,
            tensor_parallel_size=tensor_parallel_size,
            max_num_seqs=concurrency,
        ),
        server_args=server_arguments(server_arg or []),
        cache=cache,
        log=EngineOutput(verbose),
        tell=bar.say,
    )
    tell_recipe(reranker)
    reranker.settings = replace(reranker.settings, concurrency=concurrency)
    if query is not None:
        _order_lines(reranker, query, docs, output)
        return
    prepared = prepare(wanted, given, reranker)
    if summary:
        check_beside(summary, [job.files for job in prepared.jobs])
    if dry:
        _dry_run(reranker, [item for job in prepared.jobs for item in job.work])
    else:
        _rerank(reranker, prepared, bar, summary)


def tell_recipe(reranker: "Reranker") -> None:
    """Say which recipe it is where the model chose it, or which other was made for the model."""
    from rearank_cli.recipes.choosing import better

    recipe, model = reranker.settings.recipe, reranker.model.name
    other = better(recipe, model)
    if reranker.why.startswith("made for"):
        note(f"recipe: {recipe.name}, {reranker.why}; --recipe chooses another")
    elif other:
        note(f"note: {_made(other)} was made for {model}; --recipe {other} chooses it")


def _made(recipe: str) -> str:
    from rearank_cli.recipes.originals import find_original

    return "a published prompt" if find_original(recipe) else f"the recipe {recipe}"


def _rerank(reranker: "Reranker", prepared: "Prepared", bar: "Bar", summary: str | None) -> None:
    """Rerank and write the files; Ctrl-C and SIGTERM close the engine first."""
    from rearank_cli.cli import interrupt
    from rearank_cli.cli.names import named_outputs
    from rearank_cli.engines.cached import answers_kept
    from rearank_cli.reranking.files import rerank_to

    work = [item for job in prepared.jobs for item in job.work]
    expected = sum(reranker.settings.calls(len(item.ranking)) for item in work)
    _tell_journals([job.files.run for job in prepared.jobs])
    bar.name = named_outputs([job.files.run for job in prepared.jobs])

    async def main() -> "list[Failure]":
        with bar.counting(expected):
            async with reranker:
                return await rerank_to(prepared.jobs, reranker.driver, bar)

    failures: list[Failure] = []
    if prepared.jobs:
        failures = interrupt.run(main(), lambda: answers_kept(reranker.engine))
    bar.summary.retries = getattr(reranker.engine, "retries", {})  # those of servers and clusters
    failed = [*prepared.failed, *((each.job.name, each.error) for each in failures)]
    lost = {id(each.job) for each in failures}
    done = [job.files for job in prepared.jobs if id(job) not in lost]
    tell_summary(bar.summary, len(work), done, summary)
    if failed:
        raise _several_failed(failed, len(prepared.jobs) + len(prepared.failed))


def _tell_journals(runs: "Sequence[str]") -> None:
    """Say where finished queries are to be found until their runs are complete."""
    from rearank_cli.reranking.journal import ENDING, journal_file

    places = [place for place in map(journal_file, runs) if place]
    if len(places) > 1:
        note(f"queries as they are done: beside each run, under its name with {ENDING}")
    elif places:
        note(f"queries as they are done: {places[0]}")


def _order_lines(reranker: "Reranker", query: str, docs: str, output: str) -> None:
    """Write plain lines in the model's order, each with its score in front."""
    from contextlib import aclosing

    from rearank_cli.cli import interrupt
    from rearank_cli.formats.files import check_writable, display_name, read_lines, write_text
    from rearank_cli.records import Passage, Query
    from rearank_cli.reranking.chain import Candidates
    from rearank_cli.reranking.cutting import cutter, prepared

    check_writable(output)
    lines = {f"{n}": line for n, line in read_lines(docs) if line.strip()}
    if not lines or not query.strip():
        what = "a query" if lines else f"{display_name(docs)}: expected lines to order"
        raise RearankError(f"{what if not lines else 'expected ' + what}, found none")
    texts = {each: Passage(each, line) for each, line in lines.items()}
    item = Candidates(Query("query", query), tuple(lines), texts)

    async def main() -> "list[tuple[str, float]]":
        how = reranker.settings
        work = prepared([item], cutter(how.recipe, how.limit, reranker.model))
        async with reranker, aclosing(reranker.driver().stream(work)) as results:
            async for _, result in results:
                count = len(result.ranking)
                return [
                    (each, result.scores.get(each, float(count - place)))
                    for place, each in enumerate(result.ranking)
                ]
        return []

    ordered = interrupt.run(main())
    with write_text(output) as handle:
        handle.writelines(f"{score:g}\t{lines[each]}\n" for each, score in ordered)


def _several_failed(failed: "Sequence[tuple[str, RearankError]]", runs: int) -> RearankError:
    """Return one error that tells of all runs that could not be reranked."""
    for name, error in failed:
        place = "" if error.message.startswith(name) else f"{name}: "
        complain(f"failed: {place}{error.message}" + (f" ({error.hint})" if error.hint else ""))
    return EngineError(f"{len(failed)} of {runs} runs could not be reranked; the others are done")


def _dry_run(reranker: "Reranker", work: "Sequence[Candidates]") -> None:
    """Print what the work would take; nothing is asked or written."""
    from rearank_cli.cli import interrupt
    from rearank_cli.cli.drawing import put_rows
    from rearank_cli.formats.files import STDIO, write_text
    from rearank_cli.reranking.counting import count

    counts = interrupt.run(count(reranker.dry_engine(), reranker.settings, work))
    with write_text(STDIO) as out:
        put_rows(out, counts)
