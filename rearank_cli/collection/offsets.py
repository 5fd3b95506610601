"""Where each document of a long JSON-lines file begins, kept beside the cache.

A pass over 8.8 million lines takes minutes. Whoever looks documents up for the second time makes an
index of the file on the way: for every document four bytes of a hash of its id and eight of its
offset, sorted by hash. Nothing in it is believed: a line that was found by it is read and its id is
compared, what it does not find is looked for in the file, and it is made anew when the file has
another size, time of change or inode.
"""

import hashlib
import json
import os
import re
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np

from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import cache_dir, remember
from rearank_cli.formats.documents import parse_documents
from rearank_cli.formats.files import STDIO
from rearank_cli.formats.jsonl import json_id, json_object
from rearank_cli.formats.packed import packing
from rearank_cli.log import note
from rearank_cli.records import Passage

LONG = 64_000_000
"""Bytes from which on a file is indexed; a pass over less takes a second."""

_HEAD = 256  # bytes in front of the numbers, which so stay aligned

# The usual first field with an id that JSON spells as it is; any other line is parsed.
_PLAIN_ID = re.compile(rb'\s*\{\s*"_id"\s*:\s*"([^"\\\x00-\x1f]*)"')


class Offsets:
    """The index of one file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Remember the file and what it looks like now."""
        self._path = Path(path).resolve()
        state = self._path.stat()
        self._seen = [1, state.st_size, state.st_mtime_ns, state.st_ino]  # 1: the form of the index
        name = hashlib.sha256(os.fsencode(self._path)).hexdigest()[:32]
        self._place = cache_dir("offsets") / f"{name}.index"
        self._used = self._place.with_suffix(".json")

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "Offsets | None":
        """Return the index of a file that is long, plain and JSON lines; None for any other."""
        place = Path(path)
        if str(path) == STDIO or packing(path) is not None or not place.is_file():
            return None
        if place.stat().st_size < LONG:
            return None
        with place.open("rb") as handle:
            start = handle.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
        return cls(path) if start.startswith(b"{") else None

    def used_before(self) -> bool:
        """Note that the file is read, and tell whether it was noted before."""
        try:
            before = json.loads(self._used.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = None
        if before == self._seen:
            return True
        remember(self._used, json.dumps(self._seen).encode())
        return False

    def lookup(self, wanted: set[str]) -> Iterator[Passage] | None:
        """Return the documents of these ids, or None where no index of the file is there."""
        kept = self._kept()
        return None if kept is None else self._read(wanted, *kept)

    def _kept(self) -> tuple[Any, Any] | None:
        try:
            with self._place.open("rb") as handle:
                if json.loads(handle.read(_HEAD)) != self._seen:
                    return None
                count = (os.fstat(handle.fileno()).st_size - _HEAD) // 12
                offsets = np.memmap(handle, np.uint64, "r", _HEAD, (count,))
                return np.memmap(handle, np.uint32, "r", _HEAD + 8 * count, (count,)), offsets
        except (OSError, ValueError):
            return None

    def _read(self, wanted: set[str], hashes: Any, offsets: Any) -> Iterator[Passage]:
        """Yield what is found, in the order of the file; of an id twice there, the first."""
        left = set(wanted)
        hashed = (crc32(doc_id.encode("utf-8", "replace")) for doc_id in wanted)
        keys = np.sort(np.fromiter(hashed, np.uint32, len(wanted)))
        first, last = (np.searchsorted(hashes, keys, side) for side in ("left", "right"))
        places = [offsets[start:stop] for start, stop in zip(first, last, strict=True)]
        found = np.unique(np.concatenate(places)) if places else np.empty(0, np.uint64)
        # A line that is no document ends this; whoever reads the file tells what is wrong.
        with self._path.open("rb") as handle, suppress(RearankError, UnicodeDecodeError):
            for passage in parse_documents(str(self._path), _lines(handle, found.tolist())):
                if passage.doc_id in left:
                    left.remove(passage.doc_id)
                    yield passage

    def make(self) -> None:
        """Make the index, in one pass over the file; it appears whole or not at all.

        Two processes may make it at once: both make the same. Raises `RearankError` with
        `path:line` for a line that is no document.
        """
        note(f"{self._path}: noting where its documents begin, so that the next use is quick")
        hashes, offsets, place = array("I"), array("Q"), 0
        with self._path.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    hashes.append(crc32(self._id(number, line)))
                    offsets.append(place)
                place += len(line)
        order = np.argsort(np.frombuffer(hashes, np.uint32), kind="stable")
        head = json.dumps(self._seen).encode().ljust(_HEAD)
        remember(
            self._place,
            head,
            np.frombuffer(offsets, np.uint64)[order].tobytes(),
            np.frombuffer(hashes, np.uint32)[order].tobytes(),
        )

    def _id(self, number: int, line: bytes) -> bytes:
        plain = _PLAIN_ID.match(line)
        if plain:
            return plain[1].strip()
        name = str(self._path)
        text = line.decode("utf-8", "replace").lstrip("\ufeff")
        return json_id(name, number, json_object(name, number, text)).encode("utf-8", "replace")


def _lines(handle: IO[bytes], places: Iterable[int]) -> Iterator[tuple[int, str]]:
    for place in places:
        handle.seek(place)
        yield 0, handle.readline().decode().lstrip("\ufeff").rstrip("\r\n")


def looked_up(path: str | os.PathLike[str], wanted: Iterable[str]) -> Iterator[Passage] | None:
    """Return documents of these ids by the index of a file; None where it is to be read.

    Those that do not come are in the file all the same, or not at all. The index is made when a
    file is read for the second time.
    """
    offsets = Offsets.of(path)
    if offsets is None:
        return None
    ids = set(wanted)
    found = offsets.lookup(ids)
    if found is None and offsets.used_before():
        with suppress(RearankError):  # whoever reads the file tells what is wrong with it
            offsets.make()
        found = offsets.lookup(ids)
    return found
