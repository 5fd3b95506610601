"""Packed files: which kinds are read, and what a file is that is no text."""

import bz2
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

KINDS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
"""The kinds of packing that are read, by the ending of a file's name."""

GZIP = b"\x1f\x8b\x08"
"""The first bytes of gzip data."""

ERRORS = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""What damaged files raise beside an `OSError` without a number."""

_SIGNS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (re.compile(rb"PK\x03\x04"), "a zip archive", "take it out: unzip -p {name} > corpus.jsonl"),
    *(
        (re.compile(sign), f"{KINDS[end]} data", f"end the file's name in {end}, or unpack it")
        for sign, end in (
            (rb"\x1f\x8b\x08", ".gz"),
            (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", ".bz2"),
            (rb"\xfd7zXZ\x00", ".xz"),
            (rb"\x28\xb5\x2f\xfd", ".zst"),
        )
    ),
    *(
        (re.compile(sign), "UTF-16 text", f"convert it: iconv -f {code} -t utf-8 {{name}}")
        for sign, code in (
            (rb"\xff\xfe|\xfe\xff", "utf-16"),
            (rb"[^\x00]\x00[^\x00]\x00", "utf-16le"),
            (rb"\x00[^\x00]\x00[^\x00]", "utf-16be"),
        )
    ),
)


def packing(path: str | os.PathLike[str]) -> str | None:
    """Return the kind of packing that a file's name tells; None for a plain one."""
    return KINDS.get(os.path.splitext(str(path))[1])


def plain_name(name: str) -> str:
    """Return a file's name without the ending that tells its packing."""
    stem, ending = os.path.splitext(name)
    return stem if ending in KINDS else name


@contextmanager
def unpacked(raw: IO[bytes], kind: str) -> Iterator[IO[bytes]]:
    """Yield the content of a packed file; files of one kind that were joined read as one.

    Damage raises one of `ERRORS` or an `OSError` without a number.
    """
    stream: Any
    if kind == "gzip":
        stream = gzip.open(raw)
    elif kind == "bzip2":
        stream = bz2.open(raw)
    elif kind == "xz":
        stream = lzma.open(raw)
    else:
        import pyarrow  # Python has zstd from 3.14 on

        stream = io.BufferedReader(pyarrow.CompressedInputStream(raw, "zstd"))
    with stream:
        yield cast(IO[bytes], stream)


@contextmanager
def packing_to(raw: IO[bytes], kind: str | None) -> Iterator[IO[bytes]]:
    """Yield what packs into `raw`, which stays open; the same content gives the same bytes.

    Without a kind it is passed on as it is.
    """
    stream: Any
    if kind is None:
        stream = io.BufferedWriter(_Kept(raw))
    elif kind == "gzip":  # neither the name nor the time is in the header
        stream = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
    elif kind == "bzip2":
        stream = bz2.BZ2File(raw, "wb")
    elif kind == "xz":
        stream = lzma.LZMAFile(raw, "wb")
    else:
        import pyarrow

        packed = pyarrow.CompressedOutputStream(pyarrow.PythonFile(_Kept(raw), "w"), "zstd")
        stream = io.BufferedWriter(cast(io.RawIOBase, packed))
    with stream:
        yield cast(IO[bytes], stream)


class _Kept(io.RawIOBase):
    """A file that is not closed with what writes to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: Any) -> int:
        """Hand on."""
        return self._file.write(data)


def foreign(name: str, start: bytes) -> tuple[str, str] | None:
    """Return what a file is that is no UTF-8 text, and what to do about it; None for text.

    `start` are its first bytes and `name` its name for the hint.
    """
    for sign, found, hint in _SIGNS:
        if sign.match(start):
            return found, hint.format(name=name)
    return None
