"""The command `rearank`: its verbs, and how errors reach the terminal."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer
from typer.main import get_command

from rearank_cli import __version__
from rearank_cli.cli import cache, config, prompt, recipe
from rearank_cli.cli.layers import default_map
from rearank_cli.cli.standard import standing
from rearank_cli.cli.talk import listening, quietable
from rearank_cli.cli.usage import PROGRAM, UsageError, usage_error
from rearank_cli.errors import EngineStartError, RearankError
from rearank_cli.log import error as complain

VERBS = (
    "retrieve",
    "rerank",
    "serve",
    "eval",
    "check",
    "fuse",
    "explain",
    "report",
    "index",
    "datasets",
    "export",
    "doctor",
    "augment",
    "train",
)

COMPLETING = "_REARANK_COMPLETE"
"""The variable by which a shell asks for completions."""

app = typer.Typer(
    name="rearank",
    help="Rerank with a language model that reasons: TREC runs in, TREC runs out.",
    epilog="rearank retrieve -d demo | rearank rerank - -d demo | rearank eval - -d demo",
    context_settings={"help_option_names": ["-h", "--help"]},  # all verbs have them by this
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # boxes fold long paths, so that they can be neither read nor copied
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rearank {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Rerank with a language model that reasons: TREC runs in, TREC runs out."""


for _verb in VERBS:
    _module = import_module(f"rearank_cli.cli.{_verb}")
    app.command(_verb, epilog=_module.EXAMPLES)(quietable(_module.command))
for _name, _group in (("cache", cache), ("config", config), ("recipe", recipe), ("prompt", prompt)):
    for _each in _group.app.registered_commands:
        if _each.callback:
            _each.callback = quietable(_each.callback)
    app.add_typer(_group.app, name=_name, hidden=_group is prompt)


def main() -> None:
    """Run the command line and turn every expected failure into a message and an exit code."""
    with listening():
        try:
            with standing():
                code = _run()
        except RearankError as error:
            code = _told(error)
        sys.exit(code)


def _run() -> int:
    """Run the command and return the exit code; failures that a person can act on are told."""
    program = get_command(app)
    try:
        defaults = {} if _only_asks(sys.argv[1:]) else default_map(program)
        code = program.main(prog_name=PROGRAM, standalone_mode=False, default_map=defaults)
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group alone: its help is the answer
            error.show()
            return 2
        return _told(usage_error(error, program, sys.argv[1:]))
    except RearankError as error:
        return _told(error)
    # Without its standalone mode Typer returns the code of --help, --version and Ctrl-C.
    return int(code or 0)


def _only_asks(args: Sequence[str]) -> bool:
    """Tell whether files with settings are not to be applied: help comes whatever they say."""
    return (
        bool({"--help", "-h", "--version", "-V"} & set(args))
        or COMPLETING in os.environ
        or "config" in args[:1]
    )


def _told(error: RearankError) -> int:
    """Tell an error and its hint, and return its exit code."""
    complain(f"error: {error.message}")
    if error.hint:
        complain(f"hint: {error.hint}")
    if isinstance(error, EngineStartError) and error.exit_code == 1:
        complain("hint: rearank doctor says what this machine, or a server, lacks")
    return error.exit_code
