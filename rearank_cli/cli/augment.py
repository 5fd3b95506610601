"""`rearank augment`: training lists from a run and its judgements, or from pairs."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.options import Corpus, Dataset, Output, Qrels, Queries
from rearank_cli.errors import RearankError

if TYPE_CHECKING:
    from rearank_cli.collection import Collection

EXAMPLES = """\b
Examples:
  rearank augment runs/demo.bm25.trec -d demo -o train.jsonl
  rearank augment run.trec -d vaswani --target 12000 --exclude-queries held-out.txt -o train.jsonl
  rearank augment run.trec -d vaswani --sft --draws 10 -o warmup.jsonl
  rearank augment run.trec -d vaswani --format verl -o train.parquet
  rearank retrieve -d demo | rearank augment - -d demo --window 5-10 > train.jsonl
  rearank augment run.trec -d vaswani --objective likelihood --teacher better.trec -o lists.jsonl
  rearank augment titles.tsv --pairs --objective likelihood -o lists.jsonl
"""


def command(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="RUN", help="TREC run, or with --pairs pairs; - is stdin.")
    ],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    qrels: Qrels = None,
    objective: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="What is to be learned: order, or likelihood (of a query after a passage).",
        ),
    ] = "order",
    draws: Annotated[
        int | None,
        typer.Option(
            help="Lists drawn for each query.", show_default="50; for likelihood at most 4"
        ),
    ] = None,
    target: Annotated[
        int | None,
        typer.Option(help="Draw until this many lists are kept, instead of --draws per query."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="N|MIN-MAX",
            help="Passages in a list, e.g. 20 or 5-10.",
            show_default="20; for likelihood 6, one of them relevant",
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            help="Hits of each query to draw from.", show_default="100; for likelihood 20"
        ),
    ] = None,
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
        str | None,
        typer.Option(
            "--recipe",
            "--prompt",
            metavar="NAME|FILE",
            help="Recipe, as for rerank.",
            show_default="rearank; for likelihood likelihood",
            rich_help_panel="Prompts",
        ),
    ] = None,
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
    pairs: Annotated[
        bool,
        typer.Option(
            "--pairs",
            help="RUN is pairs instead: JSON lines with query and passage, or two columns. Hard "
            "passages are BM25's neighbours.",
            rich_help_panel="Likelihood",
        ),
    ] = False,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Run of a better ranker, whose scores are to be learned, too.",
            rich_help_panel="Likelihood",
        ),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="trl (JSON lines) or verl (parquet).")
    ] = "trl",
    output: Output = "-",
) -> None:
    """Draw many candidate lists per judged query, for training.

    Lists that teach nothing are dropped: without a relevant passage, below --min-initial, or
    already in ideal order. Statistics go to stderr.
    """
    from rearank_cli.formats.files import check_writable, display_name
    from rearank_cli.formats.trec import read_run
    from rearank_cli.log import note
    from rearank_cli.recipes.loading import load_recipe
    from rearank_cli.reranking.candidates import candidates
    from rearank_cli.training.augment import Drawing, augment
    from rearank_cli.training.checks import check_objective
    from rearank_cli.training.examples import renderer_for
    from rearank_cli.training.tally import Tally, report
    from rearank_cli.training.writing import check_format, write_lists

    check_format(format_, output, sft)
    check_writable(output)
    given = _Given(context, source, (dataset, corpus, queries, qrels), exclude_queries)
    if check_objective(objective, sft=sft, format=format_ != "trl"):
        how = _Contrasting(_numbers(window, depth, draws, seed), target, pairs, teacher, recipe)
        _augment_likelihood(given, how, output)
        return
    if pairs or teacher:
        raise RearankError("--pairs and --teacher go with --objective likelihood")
    chosen = load_recipe(recipe or "rearank")
    depth = depth or 100
    drawing = Drawing(
        sizes=_sizes(window or "20"),
        depth=depth,
        draws=draws or 50,
        target=target,
        order=order,  # type: ignore[arg-type]  # checked by Drawing
        min_initial=min_initial,
        min_best=min_best,
        # Imitating only lists that change would teach to change every list.
        keep_ideal=sft or keep_ideal,
        seed=seed,
    )
    collection = given.collection()
    work = candidates(read_run(source), display_name(source), collection, depth)
    left_out = given.left_out()
    kept = [each for each in work if each.query.query_id not in left_out]
    render = renderer_for(kept, chosen, passage_chars, model, (max_prompt_tokens, cut))
    tally = Tally()
    example = render.for_imitation if sft else render.for_reward
    examples = augment(kept, collection.judgements(), drawing, example, tally)
    write_lists(output, format_, examples, tally, target)
    for line in report(tally, len(work) - len(kept)):
        note(line)


class _Given(NamedTuple):
    """What lists are drawn from: a run, its collection as far as it is named, queries to leave."""

    context: typer.Context
    source: str
    named: Sequence[str | None]
    exclude: str | None

    def collection(self) -> "Collection":
        """Open the collection that is named, or that the run knows."""
        place = origins.source_for(self.context, self.source, self.named)
        return origins.opened(origins.needed(place, self.source), self.source)

    def left_out(self) -> set[str]:
        """Return the ids of queries that no list is drawn for."""
        from rearank_cli.formats.exclusions import read_query_ids

        return read_query_ids(self.exclude) if self.exclude else set()


class _Contrasting(NamedTuple):
    """What the options say about lists for a likelihood; None is the default."""

    numbers: Mapping[str, int]
    target: int | None
    pairs: bool
    teacher: str | None
    recipe: str | None


def _numbers(window: str | None, depth: int | None, draws: int | None, seed: int) -> dict[str, int]:
    sizes = _sizes(window) if window else None
    if sizes and sizes[0] != sizes[1]:
        raise RearankError(f"--window: expected one size for likelihood, found {window!r}")
    given = {"size": sizes[0] if sizes else None, "depth": depth, "draws": draws, "seed": seed}
    return {name: value for name, value in given.items() if value is not None}


def _augment_likelihood(given: _Given, said: _Contrasting, output: str) -> None:
    from rearank_cli.formats.files import display_name
    from rearank_cli.formats.trec import read_run
    from rearank_cli.log import note
    from rearank_cli.recipes.loading import load_recipe
    from rearank_cli.training.contrasts import Contrast, contrasts_of
    from rearank_cli.training.pairs import read_pairs, search_pairs
    from rearank_cli.training.tally import Tally, report
    from rearank_cli.training.writing import write_lists

    source = given.source
    how = Contrast(**said.numbers)
    chosen = load_recipe(said.recipe or "likelihood")
    taught = read_run(said.teacher) if said.teacher else None
    left_out = given.left_out()
    if said.pairs:
        collection = read_pairs(source)
        run = search_pairs(collection, how.depth)
    else:
        collection = given.collection()
        run = read_run(source)
    kept = run.only(query_id for query_id in run.rankings if query_id not in left_out)
    tally = Tally()
    made = contrasts_of(collection, (kept, display_name(source)), chosen, how, taught)
    write_lists(output, "trl", made.draw(tally), tally, said.target)
    for line in report(tally, len(run.rankings) - len(kept.rankings)):
        note(line)


def _sizes(text: str) -> tuple[int, int]:
    """Read `20` or `5-10`; raise `RearankError` for anything else."""
    match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text)
    if not match:
        raise RearankError(f"--window: expected N or MIN-MAX, found {text!r}")
    return int(match[1]), int(match[2] or match[1])
