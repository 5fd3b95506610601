"""Digests of whole files, remembered so that an unchanged file is read once only."""

import hashlib
import json
import os
from pathlib import Path

from rearank_cli.formats.cache import cache_dir, remember
from rearank_cli.formats.files import open_bytes

_BLOCK = 1 << 20


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    It is kept in the cache beside the file's size and time of change, and is computed again when
    either differs. Raises `RearankError` when the file cannot be read.
    """
    place = Path(path).resolve()
    memo = cache_dir("digests") / f"{hashlib.sha256(os.fsencode(place)).hexdigest()[:32]}.json"
    with open_bytes(path):
        state = place.stat()
    seen = [str(place), state.st_size, state.st_mtime_ns]
    known = _remembered(memo)
    if known.get("file") == seen:
        return str(known["sha256"])
    digest = _sha256(place)
    remember(memo, json.dumps({"file": seen, "sha256": digest}).encode())
    return digest


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _remembered(memo: Path) -> dict[str, object]:
    try:
        entry = json.loads(memo.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entry if isinstance(entry, dict) else {}
