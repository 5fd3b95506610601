"""`rearank recipe`: how models are asked."""

from typing import TYPE_CHECKING, Annotated

import typer

from rearank_cli.cli.options import Corpus, Dataset, ModelName, Output, PassageChars, Queries

if TYPE_CHECKING:  # the library stays out of --help
    from rearank_cli.records import Request

_LIST = """\b
Examples:
  rearank recipe list
"""
_SHOW = """\b
Examples:
  rearank recipe show letters > mine.toml
  rearank recipe show le723z/Rearank-7B
"""
_CHECK = """\b
Examples:
  rearank recipe check mine.toml
"""
_RENDER = """\b
Examples:
  rearank recipe render runs/demo.bm25.trec -d demo --query q01
  rearank recipe render runs/demo.bm25.trec -d demo --query q01 --from 81 --recipe mine.toml
"""
_IMPORT = """\b
Examples:
  rearank recipe import rank_gpt.py --function create_permutation_instruction -o exact.toml
  rearank recipe import rank_zephyr_template.yaml -o zephyr.toml
  rearank recipe import rank_llm:rank_zephyr -o zephyr.toml
"""
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", help="A recipe's name or TOML file, or a published model's id."
    ),
]

app = typer.Typer(
    help="Show how models are asked, and check recipes of your own.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def group() -> None:
    """Show how models are asked, and check recipes of your own."""


@app.command("list", epilog=_LIST)
def names() -> None:
    """List the recipes that come with the program: method, answer, what the engine must tell.

    Below them are published models, whose own prompts are fetched on first use.
    """
    from rearank_cli.formats.files import STDIO, write_text

    rows = [("recipe", "method", "answer", "needs", "what for"), *_shipped(), *_originals()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    with write_text(STDIO) as out:
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
            out.write("  ".join([*cells, row[4]]) + "\n")


_NEEDS = {
    "choices": "logprobs",
    "continuation": "prompt logprobs",
    "relevance": "/rerank",
    "": "text",
}
_Rows = list[tuple[str, str, str, str, str]]


def _shipped() -> _Rows:
    from rearank_cli.methods.answers import KINDS
    from rearank_cli.recipes.loading import load_recipe, recipe_names
    from rearank_cli.reranking.asking import form_of

    recipes = [load_recipe(name) for name in recipe_names()]
    return [
        (
            each.name,
            each.method,
            each.kind,
            _NEEDS[KINDS[each.kind].needs(form_of(each))],
            each.description,
        )
        for each in recipes
    ]


def _originals() -> _Rows:
    from rearank_cli.methods.answers import KINDS, Form
    from rearank_cli.recipes.originals import catalogue

    return [
        (
            model,
            str(each.recipe.get("method", "sliding")),
            str(each.recipe.get("answer", "order")),
            _NEEDS[KINDS[each.recipe.get("answer", "order")].needs(Form())],
            f"{each.description} ({each.repository}{', here' * each.place.is_file()})",
        )
        for each in catalogue()
        for model in each.models
    ]


@app.command("show", epilog=_SHOW)
def show(name: Name) -> None:
    """Print a recipe's file, to read or to begin one of your own with."""
    from rearank_cli.formats.files import STDIO, write_text
    from rearank_cli.recipes.loading import recipe_text

    with write_text(STDIO) as out:
        out.write(recipe_text(name).rstrip("\n") + "\n")


@app.command("check", epilog=_CHECK)
def check(name: Name) -> None:
    """Check a recipe: its fields, its method and numbers, and that its templates can be filled."""
    from rearank_cli.log import note
    from rearank_cli.methods.answers import KINDS
    from rearank_cli.recipes.loading import load_recipe
    from rearank_cli.reranking.asking import check_recipe
    from rearank_cli.reranking.reranker import method_for

    recipe = load_recipe(name)
    method = method_for(recipe, None, None)
    check_recipe(recipe, method)
    count = 1 if KINDS[recipe.kind].single else min(method.window, 2)
    recipe.request("a query", ["a passage"] * count)
    note(f"{name}: a recipe for {recipe.method} with answers of the kind {recipe.kind}")


@app.command("render", epilog=_RENDER)
def render(
    source: Annotated[str, typer.Argument(metavar="RUN", help="TREC run; - is stdin.")],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    query: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Query id.", show_default="the run's first"),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "--prompt",
            "--profile",
            metavar="NAME|FILE",
            help="The recipe to ask with.",
            show_default="the one for --model, else rearank",
        ),
    ] = None,
    start: Annotated[int, typer.Option("--from", min=1, help="First rank of the window.")] = 1,
    window: Annotated[
        int | None,
        typer.Option(min=1, help="Passages in the window.", show_default="the recipe's"),
    ] = None,
    passage_chars: PassageChars = None,
    model: ModelName = None,
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            envvar="REARANK_BASE_URL",
            metavar="URL",
            help="The model is on this server; it is not asked.",
        ),
    ] = None,
) -> None:
    """Print the messages of one window, exactly as the model gets them, and count its tokens.

    Tokens are counted with the model's own tokenizer; a server does not tell it.
    """
    from rearank_cli.collection import open_collection
    from rearank_cli.engines.countable import find_countable
    from rearank_cli.errors import RearankError
    from rearank_cli.formats.files import STDIO, display_name, write_text
    from rearank_cli.formats.trec import read_run
    from rearank_cli.log import note
    from rearank_cli.recipes.choosing import choose_recipe
    from rearank_cli.recipes.text import Cleaner
    from rearank_cli.records import Run
    from rearank_cli.reranking.candidates import candidates
    from rearank_cli.reranking.cutting import cutter, prepared
    from rearank_cli.reranking.reranker import method_for

    chosen, _ = choose_recipe(recipe, model or "")
    chosen = chosen.changed(passage_chars=passage_chars)
    size = window or method_for(chosen, None, None).window
    run = read_run(source)
    name = query or next(iter(run.rankings))
    hits = run.rankings.get(name, ())[start - 1 : start - 1 + size]
    if not hits:
        raise RearankError(f"{display_name(source)}: query {name} has no hits from rank {start} on")
    part = Run.by_rank({name: hits}, run.tag or "run")
    work = candidates(part, display_name(source), open_collection(dataset, corpus, queries), size)
    shown = find_countable(model, served=bool(base_url))
    (item,) = prepared(work, cutter(chosen, chosen.passage_chars, shown.model))
    cleaner = Cleaner(shown.model.reserved, unknown=not shown.model.reserved)
    texts = [cleaner.passage(item.passages[doc_id], chosen.passage_chars) for doc_id in hits]
    request = chosen.request(cleaner.clean(item.query.text), texts)
    with write_text(STDIO) as out:
        out.writelines(_lines(request))
    answer = f"at most {chosen.max_tokens} tokens for the answer"
    if shown.count is None:
        note(f"tokens of {shown.model.name} are not counted: {shown.why}; {answer}")
        return
    note(f"{shown.count(request)} tokens for {shown.model.name}, and {answer}")


def _lines(request: "Request") -> list[str]:
    """Return what a request shows, turn by turn."""
    if request.passage:
        return [f"--- query\n{request.prompt}\n", f"--- passage\n{request.passage}\n"]
    if isinstance(request.prompt, str):
        lines = [f"--- text\n{request.prompt}\n"]
    else:
        lines = [f"--- {role}\n{content}\n" for role, content in request.prompt]
    behind = {"continuation": request.continuation, "the answer begins": request.prefill}
    return lines + [f"--- {name}\n{text}\n" for name, text in behind.items() if text]


@app.command("import", epilog=_IMPORT)
def bring(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="rank_llm's YAML template (or rank_llm:NAME from the installed package), "
            "llm-rankers' TOML, or a Python file such as RankGPT's.",
        ),
    ],
    function: Annotated[
        str | None,
        typer.Option(
            help="Function of a Python file that builds the messages.",
            show_default="the only one that does",
        ),
    ] = None,
    output: Output = "-",
) -> None:
    """Make a recipe of a published prompt, word for word. Python files are read, never run."""
    from rearank_cli.formats.files import write_text
    from rearank_cli.recipes.importers import import_recipe
    from rearank_cli.recipes.loading import parse_recipe

    text = import_recipe(source, function)
    parse_recipe(source, text)
    with write_text(output) as out:
        out.write(text)
