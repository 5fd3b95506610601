"""Prebuilt indexes of Anserini and Pyserini by name: the catalogue, the local copies, the download.

The catalogue is the one inside Anserini's jar; it is read without Java. Indexes that Pyserini or
Anserini have already downloaded are used where they are.
"""

import difflib
import json
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import building, cache_dir, locked
from rearank_cli.formats.download import Download, check_space, fetch
from rearank_cli.formats.files import reason
from rearank_cli.lucene.jar import anserini_jar

UNPACKED = 2
"""Bytes to keep free per byte of archive; an inverted index shrinks by less than half."""


class Prebuilt(NamedTuple):
    """One entry of the catalogue; `size` is that of the archive in bytes."""

    name: str
    filename: str
    urls: tuple[str, ...]
    md5: str
    size: int
    documents: int

    @property
    def folder(self) -> str:
        """The name of its folder in the caches of Pyserini and Anserini, and in ours."""
        return f"{self.filename.removesuffix('.tar.gz')}.{self.md5}"


def catalogue() -> dict[str, Prebuilt]:
    """Return the inverted indexes that Anserini knows, by name.

    `REARANK_PREBUILT` may name a JSON file of the same form with more of them, such as those of a
    local mirror; its entries win.
    """
    entries = [*_inside_jar(), *_own()]
    return {entry["name"]: _entry(entry) for entry in entries}


def resolve_index(index: str) -> Path:
    """Return the folder of an index given as a folder or by the name of a prebuilt one.

    Raises `RearankError` for a folder without an index, and as `find` does.
    """
    folder = Path(index)
    if not folder.is_dir():
        return find(index)
    found = lucene_folder(folder)
    if found is None:
        raise RearankError(f"{index}: expected a Lucene index (segments_*), found none")
    return found


def find(name: str) -> Path:
    """Return the folder of a prebuilt index, downloaded and unpacked now if it is nowhere.

    Raises `RearankError` for an unknown name, too little space, or a failed download.
    """
    known = catalogue()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        raise RearankError(
            f"{name}: expected an index, found neither a folder nor a prebuilt index of that name",
            hint=f"did you mean {', '.join(close)}?" if close else "rearank datasets lists them",
        )
    return local(known[name]) or _bring(known[name])


def local(entry: Prebuilt) -> Path | None:
    """Return where a prebuilt index is on this machine, if it is."""
    for place in _caches():
        index = lucene_folder(place / entry.folder)
        if index:
            return index
    return None


def lucene_folder(folder: Path) -> Path | None:
    """Return the folder that holds Lucene's files: this one, or the only one inside it."""
    if any(folder.glob("segments_*")):
        return folder
    inside = [child for child in folder.glob("*") if child.is_dir()]
    return lucene_folder(inside[0]) if len(inside) == 1 else None


def _caches() -> list[Path]:
    pyserini = Path(os.environ.get("PYSERINI_CACHE") or Path.home() / ".cache" / "pyserini")
    anserini = os.environ.get("ANSERINI_INDEX_CACHE")
    return [
        cache_dir("prebuilt"),
        pyserini / "indexes",
        *([Path(anserini)] if anserini else []),
    ]


def _bring(entry: Prebuilt) -> Path:
    target = cache_dir("prebuilt") / entry.folder
    archive = target.parent / entry.filename
    with locked(target):
        if not target.is_dir():
            if not archive.is_file():
                check_space(target.parent, entry.size * (1 + UNPACKED))
            fetch(Download(entry.urls, entry.size, entry.md5), archive)
            check_space(target.parent, entry.size * UNPACKED)
            with building(target) as folder:
                _unpack(archive, folder)
            archive.unlink()
    found = lucene_folder(target)
    if found is None:
        raise RearankError(f"{target}: expected a Lucene index (segments_*), found none")
    return found


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RearankError(f"{archive}: cannot be unpacked: {reason(error)}") from error


def _inside_jar() -> Iterator[dict[str, Any]]:
    with zipfile.ZipFile(anserini_jar()) as jar:
        for member in jar.namelist():
            if member.startswith("prebuilt-indexes/") and "-inverted" in member:
                yield from json.loads(jar.read(member))


def _own() -> list[dict[str, Any]]:
    path = os.environ.get("REARANK_PREBUILT")
    if not path:
        return []
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        return [entry for entry in entries if _entry(entry)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RearankError(
            f"{path}: expected a JSON list of prebuilt indexes, found something else "
            f"({type(error).__name__}: {error})",
            hint="each has name, filename, urls, md5, compressed_size, documents; "
            "unset REARANK_PREBUILT to do without",
        ) from error


def _entry(entry: dict[str, Any]) -> Prebuilt:
    return Prebuilt(
        entry["name"],
        entry["filename"],
        tuple(entry["urls"]),
        entry["md5"],
        entry["compressed_size"],
        entry["documents"],
    )
