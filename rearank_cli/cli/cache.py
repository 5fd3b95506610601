"""`rearank cache`: what is kept, and how to be rid of it."""

from typing import Annotated

import typer

EXAMPLES = """\b
Examples:
  rearank cache info
  rearank cache clear --model smollm2-135m
"""

app = typer.Typer(
    help="Show or clear the finished answers that rerank keeps.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("info", epilog="\b\nExamples:\n  rearank cache info\n")
def info() -> None:
    """Show where the answers are kept, how large the file is, and how many there are by model."""
    from rearank_cli.engines.store import Store
    from rearank_cli.formats.files import STDIO, write_text

    found = Store().info()
    with write_text(STDIO) as out:
        out.write(f"{found.path}\t{found.size / 1e6:.1f} MB\n")
        out.writelines(f"{model}\t{count} answers\n" for model, count in found.models.items())


@app.command("clear", epilog="\b\nExamples:\n  rearank cache clear --model smollm2-135m\n")
def clear(
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="Only this model's answers."),
    ] = None,
) -> None:
    """Remove finished answers; indexes and converted models stay."""
    from rearank_cli.engines.store import Store
    from rearank_cli.log import note

    note(f"{Store().clear(model)} answers removed")
