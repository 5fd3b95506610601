"""`rearank augment`: training lists from a run and its judgements."""

import re
from typing import Annotated

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.options import Corpus, Dataset, Output, Qrels, Queries
from rearank_cli.errors import RearankError

EXAMPLES = """\b
Examples:
  rearank augment runs/demo.bm25.trec -d demo -o train.jsonl
  rearank augment run.trec -d vaswani --target 12000 --exclude-queries held-out.txt -o train.jsonl
  rearank augment run.trec -d vaswani --sft --draws 10 -o warmup.jsonl
  rearank augment run.trec -d vaswani --format verl -o train.parquet
  rearank retrieve -d demo | rearank augment - -d demo --window 5-10 > train.jsonl
"""


def command(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="RUN", help="TREC run; - is stdin.")],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    qrels: Qrels = None,
    draws: Annotated[int, typer.Option(help="Lists drawn for each query.")] = 50,
    target: Annotated[
        int | None,
        typer.Option(help="Draw until this many lists are kept, instead of --draws per query."),
    ] = None,
    window: Annotated[
        str, typer.Option(metavar="N|MIN-MAX", help="Passages in a list, e.g. 20 or 5-10.")
    ] = "20",
    depth: Annotated[int, typer.Option(help="Hits of each query to draw from.")] = 100,
    order: Annotated[
        str, typer.Option(metavar="ORDER", help="Lists as drawn, retrieved, or shuffled.")
    ] = "drawn",
    seed: Annotated[int, typer.Option(help="The same seed gives the same lists.")] = 0,
    exclude_queries: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Query ids to keep out: first column of each line."),
    ] = None,
    min_initial: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Drop lists with a lower nDCG@10 as shown.",
            rich_help_panel="Filters",
        ),
    ] = 0.1,
    min_best: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Drop lists with a lower best nDCG@10; the paper's ablation has 0.1 here.",
            rich_help_panel="Filters",
        ),
    ] = 0.0,
    keep_ideal: Annotated[
        bool,
        typer.Option(
            "--keep-ideal",
            help="Keep lists already in ideal order, for train --set reward.keep_ideal=true.",
            rich_help_panel="Filters",
        ),
    ] = False,
    max_prompt_tokens: Annotated[
        int | None,
        typer.Option(help="Longest prompt, in tokens of --model.", rich_help_panel="Prompts"),
    ] = None,
    cut: Annotated[
        bool,
        typer.Option(
            "--cut",
            help="Shorten the passages of prompts that are too long; else the list is dropped.",
            rich_help_panel="Prompts",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="Folder or hub id whose tokenizer counts, and whose control tokens are defused.",
            rich_help_panel="Prompts",
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            "--prompt",
            metavar="NAME|FILE",
            help="Recipe, as for rerank.",
            rich_help_panel="Prompts",
        ),
    ] = "rearank",
    passage_chars: Annotated[
        int | None,
        typer.Option(
            help="Cut passages at this many characters.",
            show_default="the recipe's",
            rich_help_panel="Prompts",
        ),
    ] = None,
    sft: Annotated[
        bool, typer.Option("--sft", help="Write answers to imitate instead: rearank train --sft.")
    ] = False,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="trl (JSON lines) or verl (parquet).")
    ] = "trl",
    output: Output = "-",
) -> None:
    """Draw many candidate lists per judged query, for training.

    Lists that teach nothing are dropped: without a relevant passage, below --min-initial, or
    already in ideal order. Statistics go to stderr.
    """
    from rearank_cli.formats.exclusions import read_query_ids
    from rearank_cli.formats.files import check_writable, display_name
    from rearank_cli.formats.trec import read_run
    from rearank_cli.log import note
    from rearank_cli.recipes.loading import load_recipe
    from rearank_cli.reranking.candidates import candidates
    from rearank_cli.training.augment import Drawing, augment
    from rearank_cli.training.examples import renderer_for
    from rearank_cli.training.tally import Tally, report
    from rearank_cli.training.writing import check_format, write_lists

    check_format(format_, output, sft)
    check_writable(output)
    chosen = load_recipe(recipe)
    drawing = Drawing(
        sizes=_sizes(window),
        depth=depth,
        draws=draws,
        target=target,
        order=order,  # type: ignore[arg-type]  # checked by Drawing
        min_initial=min_initial,
        min_best=min_best,
        # Imitating only lists that change would teach to change every list.
        keep_ideal=sft or keep_ideal,
        seed=seed,
    )
    place = origins.source_for(context, source, (dataset, corpus, queries, qrels))
    collection = origins.opened(origins.needed(place, source), source)
    work = candidates(read_run(source), display_name(source), collection, depth)
    left_out = read_query_ids(exclude_queries) if exclude_queries else set()
    kept = [each for each in work if each.query.query_id not in left_out]
    render = renderer_for(kept, chosen, passage_chars, model, (max_prompt_tokens, cut))
    tally = Tally()
    example = render.for_imitation if sft else render.for_reward
    examples = augment(kept, collection.judgements(), drawing, example, tally)
    write_lists(output, format_, examples, tally, target)
    for line in report(tally, len(work) - len(kept)):
        note(line)


def _sizes(text: str) -> tuple[int, int]:
    """Read `20` or `5-10`; raise `RearankError` for anything else."""
    match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text)
    if not match:
        raise RearankError(f"--window: expected N or MIN-MAX, found {text!r}")
    return int(match[1]), int(match[2] or match[1])
