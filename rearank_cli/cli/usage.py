"""What Typer says of a command line that it cannot read, in the words of our own errors."""

import difflib
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, get_args, get_type_hints

import typer

from rearank_cli.errors import RearankError

PROGRAM = "rearank"

UsageError: Any = typer.BadParameter.__mro__[1]
"""Typer's class for every usage error. Found through its public child, because its home has moved
between versions of Typer."""


def usage_error(error: Any, root: Any, args: Sequence[str]) -> RearankError:
    """Return a usage error as `--option: expected …, found …` with a hint.

    `root` is the whole program as Typer's command and `args` what stood behind its name.
    """
    command, path = _command(root, args)
    option = getattr(error, "option_name", "")
    parameter = getattr(error, "param", None)
    help_hint = f"{path} --help"
    message = str(error.message)
    if option and "does not take a value" in message:
        return RearankError(
            f"{option}: expected no value, found {_value(args, [option])}", help_hint
        )
    if option and "requires" in message:
        return RearankError(f"{option}: expected a value, found none", help_hint)
    if option:
        near = _near(option, [name for each in command.params for name in each.opts], path)
        return RearankError(
            f"{option}: expected an option of {path}, found none of that name", near
        )
    if parameter is not None and type(error).__name__.startswith("Missing"):
        return RearankError(f"{path}: expected {_shown(parameter)}, found nothing", help_hint)
    if parameter is not None:
        wanted = expected(command, parameter) or f"another value ({message})"
        found = _value(args, parameter.opts)
        return RearankError(f"{_shown(parameter)}: expected {wanted}, found {found}", help_hint)
    return _without_parameter(message, command, path)


def _without_parameter(message: str, command: Any, path: str) -> RearankError:
    """Return the error for words that belong to no option."""
    stranger = re.search(r"No such command '(.*?)'", message)
    if stranger:
        near = _near(stranger[1], getattr(command, "commands", {}), path)
        return RearankError(f"{path}: expected a command, found {stranger[1]!r}", near)
    extra = re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", message)
    if extra:
        return RearankError(
            f"{path}: expected no further arguments, found {extra[1]}", f"{path} --help"
        )
    return RearankError(f"{path}: {message[:1].lower()}{message[1:].rstrip('.')}", f"{path} --help")


def _command(root: Any, args: Sequence[str]) -> tuple[Any, str]:
    """Return the command that the first words name, and its full name."""
    command, path = root, [PROGRAM]
    for word in args:
        inner = getattr(command, "commands", {}).get(word)
        if inner is None:
            break
        command = inner
        path.append(word)
    return command, " ".join(path)


def _near(name: str, known: Iterable[str], path: str) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"{path} --help lists them"


def _shown(parameter: Any) -> str:
    """Return an option's long name, or how the help names an argument."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name).strip("[]{}")


def _value(args: Sequence[str], names: Sequence[str]) -> str:
    """Return the last value that stands behind one of these options, as it was typed."""
    found = ""
    for place, word in enumerate(args):
        for name in names:
            if word == name and place + 1 < len(args):
                found = args[place + 1]
            elif word.startswith(f"{name}="):
                found = word.removeprefix(f"{name}=")
            elif len(name) == 2 and word.startswith(name) and not word.startswith("--"):
                found = word.removeprefix(name)
    return repr(found)


def expected(command: Any, parameter: Any) -> str:
    """Return what an option takes, from its declaration; empty for what takes any text."""
    annotation = get_type_hints(command.callback, include_extras=True).get(parameter.name)
    kinds = [each for each in _parts(annotation) if isinstance(each, type)]
    limits = next((each for each in _parts(annotation) if hasattr(each, "show_default")), None)
    low, high = getattr(limits, "min", None), getattr(limits, "max", None)
    for kind in kinds:
        if issubclass(kind, Enum):
            *most, last = [str(each.value) for each in kind]
            return f"{', '.join(most)} or {last}" if most else last
        if kind in (int, float):
            return ("a whole number" if kind is int else "a number") + _range(low, high)
    return ""


def fits(command: Any, parameter: Any, value: Any) -> bool:
    """Tell whether a value that was not typed is one that an option takes, by its declaration."""
    annotation = get_type_hints(command.callback, include_extras=True).get(parameter.name)
    kind = next((each for each in _parts(annotation) if isinstance(each, type)), str)
    if issubclass(kind, Enum):
        return value in [each.value for each in kind]
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind not in (int, float):
        return isinstance(value, str)
    limits = next((each for each in _parts(annotation) if hasattr(each, "show_default")), None)
    low, high = getattr(limits, "min", None), getattr(limits, "max", None)
    return (
        isinstance(value, int if kind is int else (int, float))
        and (low is None or value >= low)
        and (high is None or value <= high)
    )


def _parts(annotation: Any) -> list[Any]:
    """Return the types and the declaration inside `Annotated[… | None, Option(…)]`."""
    inside = get_args(annotation)
    return [part for each in inside for part in _parts(each)] if inside else [annotation]


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return "" if high is None else f" of at most {high:g}"
