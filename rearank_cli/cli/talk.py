"""What the library says, on its way to stderr."""

import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any

import typer

from rearank_cli.cli import machine
from rearank_cli.cli.bars import draw
from rearank_cli.cli.wording import spelled
from rearank_cli.log import LOGGER
from rearank_cli.progress import shown_by


def quietable(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that can be told to be quiet: by `-q`, where it means nothing else there."""
    signature = inspect.signature(command)
    taken = any(
        "-q" in (getattr(about, "param_decls", None) or ())
        for parameter in signature.parameters.values()
        for about in getattr(parameter.annotation, "__metadata__", ())
    )
    names = ["--quiet", *([] if taken else ["-q"])]
    option = Annotated[bool, typer.Option(*names, help="Say nothing but errors.")]
    kind = inspect.Parameter.KEYWORD_ONLY
    added = inspect.Parameter("quiet", kind, default=False, annotation=option)

    @wraps(command)
    def run(*words: Any, quiet: bool = False, **values: Any) -> Any:
        machine.hush(quiet)
        return command(*words, **values)

    parameters = [*signature.parameters.values(), added]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "quiet": option}
    return run


class Talk(logging.Handler):
    """Writes what the library says to stderr, wherever that is just then."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        failed = record.levelno >= logging.ERROR
        if machine.is_quiet() and not failed:
            return
        warning = record.levelno >= logging.WARNING and not failed
        if machine.is_on():
            level = "error" if failed else "warning" if warning else "info"
            machine.tell("message", level=level, text=spelled(record.getMessage()))
            return
        word = "warning: " if warning else ""
        print(f"{word}{spelled(record.getMessage())}", file=sys.stderr, flush=True)


@contextmanager
def listening() -> Iterator[None]:
    """Write what the library says, and how far it is, to stderr as long as the block runs."""
    handler, level, propagates = Talk(), LOGGER.level, LOGGER.propagate
    machine.hush(False)
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False  # an engine's library may have given the root logger a handler
    try:
        with shown_by(draw):
            yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagates
