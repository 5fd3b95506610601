"""`rearank train`: GRPO on lists that `rearank augment` wrote."""

from typing import Annotated

import typer

from rearank_cli.cli.options import Corpus, Dataset, Qrels, Queries

EXAMPLES = """\b
Examples:
  rearank train train.jsonl --model Qwen/Qwen2.5-7B-Instruct -o my-reranker
  rearank train train.jsonl -m smollm2-135m --sft warmup.jsonl -o small --set grpo.steps=200
  rearank train train.jsonl -m ./my-model -o tuned --validate held-out.trec -d vaswani
  accelerate launch -m rearank_cli train train.jsonl -m ./my-model -o tuned --full
  rearank train lists.jsonl --objective likelihood -m smollm2-135m -o likely
  rearank train --print-config > settings.toml
"""

BASE = "Qwen/Qwen2.5-7B-Instruct"


def command(
    lists: Annotated[
        str | None,
        typer.Argument(metavar="[TRAIN]", help="Lists of rearank augment; - is stdin."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            envvar="REARANK_MODEL",
            metavar="NAME",
            help="Folder or hub id.",
            show_default="Qwen/Qwen2.5-7B-Instruct; for likelihood smollm2-135m",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the run and its result."),
    ] = None,
    sft: Annotated[
        str | None,
        typer.Option(metavar="WARMUP", help="First imitate these answers (rearank augment --sft)."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Train all weights instead of a LoRA adapter.")
    ] = False,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Settings that differ, as TOML.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="One setting that differs; repeatable."
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Show all settings, with their sources, and exit."),
    ] = False,
    objective: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="What is learned: order (lists of passages, by GRPO) or likelihood (of a query "
            "after a passage, by contrast).",
        ),
    ] = "order",
    rollouts: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="Who samples answers: generate (transformers), colocate (vLLM in this process), "
            "server (vLLM elsewhere), or auto: colocate on a GPU with vLLM, else generate.",
        ),
    ] = "auto",
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The server of --rollouts server (trl vllm-serve)."),
    ] = None,
    validate: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="TREC run of held-out queries to rerank now and then.",
            rich_help_panel="Validation",
        ),
    ] = None,
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    qrels: Qrels = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "--prompt",
            metavar="NAME|FILE",
            help="The recipe that augment was given.",
            show_default="rearank; for likelihood likelihood",
        ),
    ] = None,
    sources: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Where the texts are from and their licences, for the model card."
        ),
    ] = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option(help="Also report to wandb, tensorboard, mlflow, …; repeatable."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start anew instead of going on in --output.")
    ] = False,
) -> None:
    """Teach a model to order lists of passages, by GRPO with the reward of REARANK.

    With --objective likelihood: teach it which of several passages makes a query likely.
    The same command goes on from the last checkpoint after a kill. The result is an adapter for
    rerank --adapter, or with --full a model for rerank --model.
    """
    from rearank_cli.collection import open_collection
    from rearank_cli.engines.defaults import EMBEDDED
    from rearank_cli.engines.models import resolve_model
    from rearank_cli.errors import RearankError
    from rearank_cli.formats.files import read_lines
    from rearank_cli.recipes.loading import load_recipe
    from rearank_cli.training.checks import (
        check_likelihood,
        check_objective,
        check_recipe,
        check_trackers,
        choose_rollouts,
        warn_of_overlap,
    )
    from rearank_cli.training.data import Data, read_answers, read_contrasts, read_lists
    from rearank_cli.training.folder import Folder
    from rearank_cli.training.job import Job, Rollouts
    from rearank_cli.training.settings import load_settings
    from rearank_cli.training.train import train
    from rearank_cli.training.validation import hold_out

    settings = load_settings(config, [*(set_ or []), *(["lora.rank=0"] if full else [])])
    if print_config:
        typer.echo(settings.text, nl=False)
        return
    if output is None:
        raise RearankError("expected --output, the folder for the run", hint="-o DIR")
    if lists is None and sft is None:
        raise RearankError(
            "expected lists to train on, or --sft",
            hint="rearank augment RUN -d NAME -o train.jsonl writes lists",
        )
    contrast = check_objective(
        objective, sft=sft, server=server, rollouts=rollouts != "auto", tracker=tracker
    )
    chosen = load_recipe(recipe or ("likelihood" if contrast else "rearank"))
    if contrast:
        check_likelihood(chosen)
        data: Data | None = read_contrasts(lists) if lists else None
    else:
        data = read_lists(lists, settings.reward.keep_ideal) if lists else None
    answers = read_answers(sft) if sft else None
    if not contrast:
        check_recipe(data, chosen)
    held_out = None
    if validate:
        collection = open_collection(dataset, corpus, queries, qrels)
        held_out = hold_out(validate, collection, chosen, settings.validation)
    warn_of_overlap(held_out, (data, answers))
    check_trackers(tracker or [])
    name = model or (EMBEDDED if contrast else BASE)
    job = Job(
        base=resolve_model(name).location,
        name=name,
        settings=settings,
        folder=Folder(output),
        lists=data,
        answers=answers,
        rollouts=Rollouts() if contrast else choose_rollouts(rollouts, server),
        held_out=held_out,
        switches=chosen.chat_template,
        trackers=tuple(tracker or ()),
        recipe=chosen if contrast else None,
        sources="\n".join(line for _, line in read_lines(sources)) if sources else "",
    )
    train(job, restart)
