"""stdout and stderr as they may be: full, closed, without a reader any more, or not UTF-8."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason


class _Drain(io.FileIO):
    """A descriptor whose reader may go (`| head`); what comes after that is dropped."""

    def write(self, data: Any) -> int:
        """Write; a reader that has gone is no failure."""
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(data)


class _Closed(io.TextIOBase):
    """stdout that was closed (`>&-`): only who writes to it is told."""

    encoding = "utf-8"

    def writable(self) -> bool:
        """It pretends, so that the error is that of the system."""
        return True

    def write(self, text: str) -> int:
        """Raise what the system would."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextmanager
def standing() -> Iterator[None]:
    """Make stdout and stderr usable for the block; outputs are UTF-8 unless a terminal is not.

    Raises `RearankError` when what was written could not be.
    """
    for descriptor in range(3):  # or the next file that is opened would take its place
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    closed = sys.stdout is None
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  for good
    sys.stdout = _Closed() if closed else _draining(sys.stdout)
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if getattr(error, "filename", None) is not None:
            raise
        raise RearankError(f"<stdout>: cannot be written: {reason(error)}") from error
    finally:
        if not closed and not _flushed():  # what is left in the buffer cannot go anywhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _flushed() -> bool:
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _draining(stdout: Any) -> Any:
    """Return stdout with a descriptor that minds no reader that goes."""
    try:
        number, terminal = stdout.fileno(), stdout.isatty()
    except (OSError, ValueError):  # a stream of a test or of an embedding program
        return stdout
    return io.TextIOWrapper(
        io.BufferedWriter(_Drain(number, "w", closefd=False)),
        encoding=stdout.encoding if terminal else "utf-8",
        errors="replace" if terminal else "strict",
        newline="\n",
        line_buffering=terminal,
    )
