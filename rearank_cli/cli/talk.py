"""What the library says, on its way to stderr."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rearank_cli.cli import machine
from rearank_cli.cli.bars import draw
from rearank_cli.cli.wording import spelled
from rearank_cli.log import LOGGER
from rearank_cli.progress import shown_by


class Talk(logging.Handler):
    """Writes what the library says to stderr, wherever that is just then."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if machine.is_on():
            level = "warning" if record.levelno >= logging.WARNING else "info"
            machine.tell("message", level=level, text=spelled(record.getMessage()))
            return
        word = "warning: " if record.levelno >= logging.WARNING else ""
        print(f"{word}{spelled(record.getMessage())}", file=sys.stderr, flush=True)


@contextmanager
def listening() -> Iterator[None]:
    """Write what the library says, and how far it is, to stderr as long as the block runs."""
    handler, level, propagates = Talk(), LOGGER.level, LOGGER.propagate
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
