"""`rearank prompt`: what the model is shown."""

from typing import Annotated

import typer

from rearank_cli.cli.options import Corpus, Dataset, ModelName, PassageChars, Queries

EXAMPLES = """\b
Examples:
  rearank prompt show runs/demo.bm25.trec -d demo --query q01
  rearank prompt show runs/demo.bm25.trec -d demo --query q01 --from 81 --prompt rankgpt
"""

app = typer.Typer(help="Show what the model is shown.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Show what the model is shown."""


@app.command("show", epilog=EXAMPLES)
def show(
    source: Annotated[str, typer.Argument(metavar="RUN", help="TREC run; - is stdin.")],
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    query: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Query id.", show_default="the run's first"),
    ] = None,
    prompt: Annotated[
        str,
        typer.Option("--prompt", "--profile", metavar="NAME|FILE", help="Prompt profile."),
    ] = "rearank",
    start: Annotated[int, typer.Option("--from", min=1, help="First rank of the window.")] = 1,
    window: Annotated[int, typer.Option(min=1, help="Passages in the window.")] = 20,
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
    from rearank_cli.recipes.loading import load_recipe
    from rearank_cli.recipes.text import Cleaner
    from rearank_cli.records import Request, Run
    from rearank_cli.reranking.candidates import candidates

    profile = load_recipe(prompt)
    run = read_run(source)
    name = query or next(iter(run.rankings))
    hits = run.rankings.get(name, ())[start - 1 : start - 1 + window]
    if not hits:
        raise RearankError(f"{display_name(source)}: query {name} has no hits from rank {start} on")
    part = Run.by_rank({name: hits}, run.tag or "run")
    (item,) = candidates(
        part, display_name(source), open_collection(dataset, corpus, queries), window
    )
    shown = find_countable(model, served=bool(base_url))
    cleaner = Cleaner(shown.model.reserved)
    texts = [
        cleaner.passage(item.passages[doc_id], passage_chars or profile.passage_chars)
        for doc_id in hits
    ]
    messages = profile.render(cleaner.clean(item.query.text), texts)
    with write_text(STDIO) as out:
        out.writelines(f"--- {role}\n{content}\n" for role, content in messages)
    answer = f"at most {profile.max_tokens} tokens for the answer"
    if shown.count is None:
        note(f"tokens of {shown.model.name} are not counted: {shown.why}; {answer}")
        return
    tokens = shown.count(Request(messages, profile.sampling, profile.chat_template))
    note(f"{tokens} tokens for {shown.model.name}, and {answer}")
