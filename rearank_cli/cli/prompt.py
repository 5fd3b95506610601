"""`rearank prompt show`: the older name of `rearank recipe render`."""

import typer

from rearank_cli.cli.recipe import render

EXAMPLES = """\b
Examples:
  rearank prompt show runs/demo.bm25.trec -d demo --query q01
  rearank prompt show runs/demo.bm25.trec -d demo --query q01 --from 81 --prompt rankgpt
"""

app = typer.Typer(help="Show what the model is shown.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Show what the model is shown."""


app.command("show", epilog=EXAMPLES)(render)
