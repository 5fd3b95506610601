"""`rearank cache`: what is kept, and how to be rid of it."""

from typing import Annotated

import typer

from rearank_cli.errors import RearankError

EXAMPLES = """\b
Examples:
  rearank cache info
  rearank cache clear --model smollm2-135m
  rearank cache clear indexes
"""
ANSWERS = "answers"

app = typer.Typer(
    help="Show or clear what is kept: finished answers, models, indexes, downloads.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("info", epilog="\b\nExamples:\n  rearank cache info\n")
def info() -> None:
    """Show what is kept, where, and how large it is; the answers by model.

    A table on a terminal, tab-separated lines when piped. Weights that a model library fetched from
    a hub are kept by that library.
    """
    from rearank_cli.cli.drawing import put_rows
    from rearank_cli.engines.store import Store
    from rearank_cli.formats.files import STDIO, write_text
    from rearank_cli.formats.kept import kept
    from rearank_cli.log import counted

    found = Store().info()
    rows = [(ANSWERS, "all", _size(found.size), str(found.path))]
    for model, count in found.models.items():
        rows.append((ANSWERS, model, "", counted(count, "answer")))
    for each in kept():
        rows.append((each.name, "all", _size(each.size), str(each.folder)))
        rows += [(each.name, name, _size(size), "") for name, size in each.folders.items()]
    with write_text(STDIO) as out:
        put_rows(out, rows)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@app.command("clear", epilog=EXAMPLES)
def clear(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[WHAT]",
            help="answers, models, indexes, prebuilt, runs or another name that info tells; all.",
        ),
    ] = ANSWERS,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="Only this model's answers."),
    ] = None,
) -> None:
    """Remove finished answers, or something else that is kept. It is made or fetched again."""
    from rearank_cli.engines.store import Store
    from rearank_cli.formats.kept import kept, remove
    from rearank_cli.log import counted, note

    there = kept()
    names = [ANSWERS, *(each.name for each in there)]
    if what not in (*names, "all"):
        raise RearankError(f"expected one of {', '.join(names)} or all, found {what!r}")
    if model is not None and what != ANSWERS:
        raise RearankError(f"--model: expected answers to clear, found {what}")
    if what in (ANSWERS, "all"):
        note(f"{counted(Store().clear(model), 'answer')} removed")
    for each in there:
        if what in (each.name, "all"):
            remove(each)
            note(f"{each.name}: {_size(each.size)} removed")
