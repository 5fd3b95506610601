"""`rearank config`: what is set in files and in the environment, and where."""

import json
import os
from typing import Annotated, Any

import typer

from rearank_cli.errors import RearankError

EXAMPLES = """\b
Examples:
  rearank config show
  rearank config show rerank --all
"""

app = typer.Typer(
    help="Show the settings of rearank.toml and of the environment.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("show", epilog=EXAMPLES)
def show(
    context: typer.Context,
    verb: Annotated[
        list[str] | None, typer.Argument(metavar="[VERB]", help="Only this command's settings.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Defaults too, not only what is set.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of lines.")] = False,
) -> None:
    """Show what is set for each command, and where: the environment, or which file.

    The command line beats the environment, that beats rearank.toml in the working folder, and that
    the one in the user's config folder.
    """
    from rearank_cli.cli.layers import cache_setting, places, read_layers
    from rearank_cli.cli.settingsfile import CACHE_DIR
    from rearank_cli.formats.files import STDIO, write_text

    program = context.find_root().command
    layers = read_layers(program)
    rows = _rows(program, layers, tuple(verb or ()), everything)
    cache = cache_setting(layers, os.environ)
    if cache is not None and not verb:
        rows.insert(0, ("", CACHE_DIR, cache.value, cache.origin))
    with write_text(STDIO) as out:
        if as_json:
            names = ("command", "setting", "value", "from")
            content = {
                "files": [str(layer.path) for layer in layers],
                "settings": [dict(zip(names, row, strict=True)) for row in rows],
            }
            out.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
            return
        if not layers:
            looked = " and ".join(map(str, places()))
            out.write(f"# no files; looked for {looked}\n")
        for words, key, value, origin in rows:
            out.write("\t".join([words or "all", key, json.dumps(value), origin]) + "\n")


def _rows(
    program: Any, layers: list[Any], wanted: tuple[str, ...], everything: bool
) -> list[tuple[str, str, Any, str]]:
    """Return the verb, key, value and origin of every setting."""
    from rearank_cli.cli.layers import settings
    from rearank_cli.cli.settingsfile import options, verbs

    known = [
        (words, command) for words, command in verbs(program) if words[: len(wanted)] == wanted
    ]
    if not known:
        raise RearankError(
            f"expected a command, found {' '.join(wanted)}", hint="rearank --help lists them"
        )
    rows: list[tuple[str, str, Any, str]] = []
    for words, command in known:
        found = settings(words, command, layers, os.environ)
        for key, option in options(command).items():
            if key in found:
                rows.append((" ".join(words), key, found[key].value, found[key].origin))
            elif everything:
                value = option.default if not callable(option.default) else None
                rows.append((" ".join(words), key, getattr(value, "value", value), "default"))
    return rows
