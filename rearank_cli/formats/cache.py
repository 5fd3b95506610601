"""Where finished work is kept: one folder, `REARANK_CACHE_DIR` or the user's cache directory."""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason
from rearank_cli.log import note


def cache_dir(*parts: str) -> Path:
    """Return a folder inside the cache, created if need be.

    `REARANK_CACHE_DIR` wins, then `$XDG_CACHE_HOME/rearank`, then `~/.cache/rearank`.
    Raises `RearankError` when it cannot be created.
    """
    home = os.environ.get("REARANK_CACHE_DIR")
    if home:
        base = Path(home)
    else:
        xdg = os.environ.get("XDG_CACHE_HOME")
        base = (Path(xdg) if xdg else Path.home() / ".cache") / "rearank"
    folder = base.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, "created", error) from error
    return folder


def _unusable(folder: Path, what: str, error: OSError) -> RearankError:
    """Return the error for a cache folder that is not ours to write to."""
    return RearankError(
        f"{folder}: the cache folder cannot be {what}: {reason(error)}",
        hint="set REARANK_CACHE_DIR to a folder that you may write to",
    )


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` if the block succeeds, else disappears.

    An interrupted build is therefore never taken for a finished one. When another process
    finishes the same target first, its result stands and ours is dropped.
    """
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _unusable(target.parent, "written", error) from error
    try:
        yield scratch
        scratch.chmod(0o755)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remember(target: Path, *parts: bytes) -> None:
    """Write a file of the cache, whole or not at all; two processes may do it at once.

    What cannot be written is not remembered: a cache that is full or read-only costs time, and
    nothing else.
    """
    with suppress(OSError):
        descriptor, scratch = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as out:
                out.writelines(parts)
            os.chmod(scratch, 0o644)  # a cache may be shared
            os.replace(scratch, target)
        except BaseException:
            os.unlink(scratch)
            raise


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Let one process at a time make `target`; what a killed one left behind is removed.

    The lock is the operating system's and dies with its owner, so that scratch folders found
    under it belong to nobody.
    """
    try:
        opened = (target.parent / f".{target.name}.lock").open("w")
    except OSError as error:
        raise _unusable(target.parent, "written", error) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"waiting for another process that makes {target}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in target.parent.glob(f".{glob.escape(target.name)}.*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        yield
