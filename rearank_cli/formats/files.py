"""Reading and writing text files as a filter does: `-`, packed files, atomic outputs."""

import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TextIO

from rearank_cli.errors import RearankError
from rearank_cli.formats import packed

STDIO = "-"
_BOM = b"\xef\xbb\xbf"


def display_name(path: str | os.PathLike[str], standard: str = "<stdin>") -> str:
    """Return the name of a file as error messages show it."""
    return standard if str(path) == STDIO else str(path)


def label_and_name(word: str) -> tuple[str | None, str]:
    """Take `label=name` apart; what is there as a file stays whole, and so does a path with =."""
    label, equals, name = word.partition("=")
    if not (equals and label and name) or "/" in label or Path(word).exists():
        return None, word
    return label, name


TRACE_ENDING = ".trace.jsonl"
"""What the trace of a reranking ends in, beside its run."""


def beside(run: str | os.PathLike[str], ending: str) -> str | None:
    """Return the file beside a run with this ending: `x.meta.yml` for `x.trec` and `x.trec.gz`.

    None for stdin, stdout, pipes and devices, which have nothing beside them.
    """
    path = Path(run)
    if str(run) == STDIO or not path.name or (path.exists() and not path.is_file()):
        return None
    return str(path.with_name(packed.plain_name(path.name).removesuffix(".trec") + ending))


def reason(error: BaseException) -> str:
    """Return the short text of a system error, without its number and path."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


@contextmanager
def open_bytes(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for reading: `-` is stdin; .gz, .bz2, .xz and .zst are unpacked.

    Gzip is also known by its first bytes, on stdin or under any name. Raises `RearankError` naming
    the file when it cannot be opened, read or unpacked.
    """
    name = display_name(path)
    kind = packed.packing(path)
    try:
        if str(path) == STDIO:
            with _unpacked(sys.stdin.buffer, None) as content:
                yield content
            return
        with Path(path).open("rb") as raw, _unpacked(raw, kind) as content:
            yield content
    except BrokenPipeError:
        raise
    except (OSError, *packed.ERRORS) as error:
        raise _unreadable(name, kind, error) from error


@contextmanager
def _unpacked(raw: IO[bytes], kind: str | None) -> Iterator[IO[bytes]]:
    """Yield the content of what was opened; gzip is known by its first bytes too."""
    peek = getattr(raw, "peek", None)
    if kind is None and peek is not None and peek(len(packed.GZIP))[:3] == packed.GZIP:
        kind = "gzip"
    if kind is None:
        yield raw
        return
    with packed.unpacked(raw, kind) as content:
        yield content


def _unreadable(name: str, kind: str | None, error: BaseException) -> RearankError:
    """Return the error for a file that is not there, cannot be read, or is damaged."""
    if isinstance(error, FileNotFoundError):
        return RearankError(f"{name}: no such file")
    if isinstance(error, IsADirectoryError):
        return RearankError(f"{name}: expected a file, found a directory")
    if kind is None or getattr(error, "errno", None) is not None:
        return RearankError(f"{name}: cannot be read: {reason(error)}")
    ending = os.path.splitext(name)[1]
    return RearankError(
        f"{name}: expected {kind} data, found something else ({error})",
        hint=f"the file may be damaged, or plain text under a {ending} name",
    )


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text without its line end) for every line of a file.

    A byte order mark and carriage returns are dropped. Raises `RearankError` for a file that is
    no text at all, and with `path:line` where the text is not UTF-8.
    """
    with open_bytes(path) as handle:
        for number, raw in enumerate(handle, 1):
            if number == 1:
                _check_text(display_name(path), raw)
            if number == 1 and raw.startswith(_BOM):
                raw = raw[len(_BOM) :]
            try:
                yield number, raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise RearankError(
                    f"{display_name(path)}:{number}: expected UTF-8 text, "
                    f"found byte 0x{raw[error.start]:02x} at position {error.start + 1}",
                    hint="convert the file, for example with iconv -f latin1 -t utf-8",
                ) from error


def _check_text(name: str, start: bytes) -> None:
    """Raise `RearankError` for packed data under another name, an archive, or UTF-16."""
    found = packed.foreign(name, start)
    if found:
        raise RearankError(f"{name}: expected UTF-8 text, found {found[0]}", hint=found[1])


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise `RearankError` now if `path` cannot be written later; for use before long work."""
    if str(path) == STDIO:
        return
    target = Path(path)
    if target.is_dir():
        raise RearankError(f"{path}: expected a file to write, found a directory")
    folder = target.parent
    if not folder.is_dir():
        raise RearankError(f"{path}: no such folder: {folder}", hint=f"mkdir -p {folder}")
    place = target if _is_special(target) else folder
    if not os.access(place, os.W_OK):
        raise RearankError(f"{path}: cannot be written: permission denied")


@contextmanager
def write_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a file for writing so that it appears whole or not at all; `-` is stdout.

    The text goes to a temporary file beside the target, which is renamed at the end. It is packed
    where the name ends in .gz, .bz2, .xz or .zst, always to the same bytes. Devices and pipes are
    written to directly. Raises `RearankError` when the file cannot be written.
    """
    if str(path) == STDIO:
        with _stdout() as handle:
            yield handle
        return
    target = Path(path)
    check_writable(target)
    try:
        if _is_special(target):
            with target.open("w", encoding="utf-8", newline="\n") as handle:
                yield handle
        else:
            with _replacing(target.resolve()) as handle:
                yield handle
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RearankError(f"{path}: cannot be written: {reason(error)}") from error


@contextmanager
def _stdout() -> Iterator[TextIO]:
    """Yield stdout; when its reader has gone (`| head`), the rest is dropped without a word."""
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _replacing(target: Path) -> Iterator[TextIO]:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with (
                packed.packing_to(raw, packed.packing(target)) as content,
                io.TextIOWrapper(content, encoding="utf-8", newline="\n") as handle,
            ):
                yield handle
            raw.flush()
            os.fsync(raw.fileno())
        os.chmod(temporary, _mode_for(target))
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _mode_for(target: Path) -> int:
    """Return the permission bits that a plain `open` would have left on `target`."""
    with suppress(FileNotFoundError):
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _is_special(target: Path) -> bool:
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except OSError:
        return False
