"""One writer at a time: a command that writes several files that belong together locks them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, reason


@contextmanager
def locked(target: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock of an output as long as the block runs; `-`, pipes and devices have none.

    It is the system's lock on a hidden file beside the output, so that it ends with whoever held
    it, even one that was killed. Raises `RearankError` when another command holds it, unless it is
    to `wait`.
    """
    path = Path(target)
    if target == STDIO or not path.name or (path.exists() and not path.is_file()):
        yield
        return
    place = path.with_name(f".{path.name}.lock")
    handle = _taken(target, place, wait)
    try:
        yield
    finally:
        with suppress(OSError):
            place.unlink()
        os.close(handle)


def _taken(target: str, place: Path, wait: bool) -> int:
    while True:
        try:
            handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise RearankError(f"{target}: cannot be written: {reason(error)}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            raise RearankError(
                f"{target}: another rearank is writing it",
                hint="wait until it has ended, or write to another file",
            ) from None
        except OSError:  # a file system without locks
            return handle
        with suppress(OSError):
            if os.fstat(handle).st_ino == os.stat(place).st_ino:
                return handle
        os.close(handle)  # whoever held it has removed the file in the meantime
