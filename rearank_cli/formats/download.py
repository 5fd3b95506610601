"""Downloads that resume, are checked, and never pass for finished when they are not."""

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason
from rearank_cli.progress import progress, shown

BLOCK = 1 << 20
TRIES = 3
TIMEOUT = 30.0


@dataclass(frozen=True)
class Download:
    """A file on the network: where it is, how many bytes it has, and their MD5 or SHA-256.

    Every address is tried so many `tries`, each at most `timeout` seconds without a byte.
    """

    urls: Sequence[str]
    size: int
    md5: str = ""
    sha256: str = ""
    tries: int = TRIES
    timeout: float = TIMEOUT


def fetch(download: Download, target: Path) -> None:
    """Bring a file to `target`, continuing an earlier attempt; return when its digest is right.

    The bytes so far are kept in `<target>.part`. A file that is already at `target` is checked
    and kept. Raises `RearankError` when no address delivers, saying how to do it by hand.
    """
    if target.is_file():
        _verify(target, download)
        return
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.is_file() else 0
    check_space(target.parent, max(download.size - have, 0))
    failures = []
    with progress(f"downloading {target.name}", "bytes", download.size) as advance:
        advance(have)
        for url in [url for url in download.urls for _ in range(download.tries)]:
            try:
                _continue(url, part, advance, download.timeout)
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{url}: {_why(error)}")
                continue
            _verify(part, download)
            part.rename(target)
            return
    raise RearankError(
        f"{target.name} could not be downloaded: {failures[-1] if failures else 'no address'}",
        hint=f"bring the file there by other means: {target}",
    )


def check_space(folder: Path, needed: int) -> None:
    """Raise `RearankError` if a file system has not `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RearankError(
            f"{folder}: expected {shown(needed, 'bytes')} of free space, "
            f"found {shown(free, 'bytes')}",
            hint="free some space, or point REARANK_CACHE_DIR to a larger disk",
        )


def _continue(url: str, part: Path, advance: Callable[[int], None], timeout: float) -> None:
    """Append the rest of a file to what is there, or start again where that is not possible."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "rearank"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            resumed = have > 0 and answer.status == 206
            if not resumed:
                advance(-have)
            with part.open("ab" if resumed else "wb") as handle:
                _copy(answer, handle, advance)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:  # 416: all of it is there already
            raise


def _copy(
    answer: http.client.HTTPResponse, handle: IO[bytes], advance: Callable[[int], None]
) -> None:
    expected = answer.headers.get("Content-Length")
    copied = 0
    while block := answer.read(BLOCK):
        handle.write(block)
        copied += len(block)
        advance(len(block))
    if expected is not None and copied < int(expected):
        raise ConnectionError(f"the connection ended after {copied} of {expected} bytes")


def _verify(path: Path, download: Download) -> None:
    """Raise `RearankError` and remove the file unless its digest is the expected one."""
    name, expected = ("SHA-256", download.sha256) if download.sha256 else ("MD5", download.md5)
    digest = hashlib.sha256() if download.sha256 else hashlib.md5(usedforsecurity=False)
    with path.open("rb") as handle:
        while block := handle.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != expected:
        size = path.stat().st_size
        path.unlink()
        raise RearankError(
            f"{path}: expected {name} {expected}, found {digest.hexdigest()} "
            f"({size} of {download.size} bytes); the file was removed",
            hint="run the command again to download it anew",
        )


def _why(error: Exception) -> str:
    inner = getattr(error, "reason", None)
    if isinstance(error, urllib.error.HTTPError):
        return f"the server says {error.code} {error.reason}"
    return reason(inner if isinstance(inner, BaseException) else error)
