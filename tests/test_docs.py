"""Every command and option has help, an example that parses, and a place in the README."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from rearank_cli.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def commands(group: Any = None, path: str = "rearank") -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name."""
    group = group or get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


ALL = dict(commands())


@pytest.mark.parametrize("name", ALL)
def test_a_command_is_described_and_in_the_readme(name: str) -> None:
    assert ALL[name].help
    assert f"`{name}" in README or f"\n{name} " in README


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_described(name: str) -> None:
    for parameter in ALL[name].params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"


def examples(name: str) -> list[str]:
    lines = [line.strip() for line in (ALL[name].epilog or "").splitlines()]
    return [line for line in lines if line.startswith("rearank ")]


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_examples_that_parse(name: str) -> None:
    assert examples(name), f"{name} has no examples"
    for example in examples(name):
        for part in example.split(" | "):
            parses(part)


def readme_lines() -> list[str]:
    """Return the command lines of the README's code blocks."""
    blocks = README.split("```")[1::2]
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("rearank ") and "…" not in line]


@pytest.mark.parametrize("line", readme_lines())
def test_every_command_line_of_the_readme_parses(line: str) -> None:
    for part in line.partition(" #")[0].split(" | "):
        parses(part)


def parses(line: str) -> None:
    """Take a command line apart as the shell and then the program would, without running it."""
    words = shlex.split(line.split(" > ")[0])
    assert words[0] == "rearank", line
    command: Any = get_command(app)
    name = "rearank"
    for word in words[1:]:
        if not hasattr(command, "commands"):
            break
        command, name = command.commands.get(word), f"{name} {word}"
        assert command, f"{name} is no command"
    rest = words[len(name.split()) :]
    if name != "rearank":
        command.make_context(name, rest)
