"""The library's words for its parameters, and the command line's for the same."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from rearank_cli.cli.app import app
from rearank_cli.cli.wording import spelled

HOUSE = Path(__file__).parents[1] / "rearank_cli"


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("expected `max_tokens` to be at least 1", "expected --max-tokens to be at least 1"),
        ("or use `cache=False`", "or use --no-cache"),
        ("(`collection`), or a file (`corpus`)", "(-d), or a file (--corpus)"),
        (
            "a folder is a collection: `collection=./my pets`",
            "a folder is a collection: -d ./my pets",
        ),
        ("`engine_args` gpu_memory_utilization=0.50", "--engine-arg gpu_memory_utilization=0.50"),
        ("`base_urls` end in /v1", "--base-url end in /v1"),
        ("no `such thing` and no `Name`", "no `such thing` and no `Name`"),
        ("--model is an option already", "--model is an option already"),
    ],
)
def test_parameters_become_options(said: str, typed: str) -> None:
    assert spelled(said) == typed


def options(command: Any) -> set[str]:
    """Return every option of a command and of the commands in it."""
    own = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    inner = getattr(command, "commands", {}).values()
    return own.union(*map(options, inner))


def named() -> Iterator[tuple[str, str]]:
    """Yield every parameter in backticks in a message of the library, with its place."""
    for file in sorted(HOUSE.rglob("*.py")):
        if file.relative_to(HOUSE).parts[0] in ("cli", "serving"):
            continue
        tree = ast.parse(file.read_text())
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if id(node) not in docs:
                    for found in re.findall(r"`[a-z_]+(?:=\w+)?`", node.value):
                        yield f"{file.relative_to(HOUSE)}:{node.lineno}", found


def test_every_parameter_that_a_message_names_is_an_option_of_some_command() -> None:
    # "the method's options"; and only the library lets one choose an engine by its name.
    known = options(get_command(app)) | {"the", "--engine"}
    found = list(named())
    assert len(found) > 40
    strangers = [(place, name) for place, name in found if spelled(name).split()[0] not in known]
    assert strangers == []


@pytest.mark.parametrize("verb", ["rerank", "augment", "train"])
def test_what_a_message_calls_a_recipe_is_an_option_of_every_command_that_takes_one(
    verb: str,
) -> None:
    program: Any = get_command(app)
    assert {spelled("`recipe`"), "--prompt"} <= options(program.commands[verb])
