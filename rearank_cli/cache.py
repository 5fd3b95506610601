"""Where finished work is kept: one folder, `REARANK_CACHE_DIR` or the user's cache directory."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rearank_cli.errors import RearankError
from rearank_cli.files import reason


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
        raise RearankError(
            f"{folder}: the cache folder cannot be created: {reason(error)}",
            hint="set REARANK_CACHE_DIR to a folder that you may write to",
        ) from error
    return folder


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` if the block succeeds, else disappears.

    An interrupted build is therefore never taken for a finished one. When another process
    finishes the same target first, its result stands and ours is dropped.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
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
