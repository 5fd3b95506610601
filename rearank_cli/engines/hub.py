"""Fetch a hub model into the hub's cache: `python -m rearank_cli.engines.hub NAME REVISION CACHE`.

The hub's own client throws away what it has of a file when it is interrupted, and files of
weights have gigabytes. Here they go on where they stopped, are checked by their SHA-256, and then
stand in the cache as the client would have put them.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from rearank_cli.errors import EngineError, RearankError
from rearank_cli.progress import shown

# In vLLM's order: of the first kind that a model has, all files are loaded.
KINDS = ("consolidated*.safetensors", "*.safetensors", "*.bin", "*.pt")
BESIDE = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.py")
PART = ".rearank.incomplete"
TRIES = 5  # without a byte between them
TIMEOUT = 60.0
PAUSE = 2.0  # seconds after the first failed try; twice as many after each further one
_STREAMS = 4


def wanted(names: Iterable[str]) -> list[str]:
    """Return those of a model's files that loading it takes: one kind of weights, and the rest.

    Weights in subfolders are copies in other formats; vLLM reads none of them.
    """
    files = list(names)
    top = [name for name in files if "/" not in name]
    kinds = ([name for name in top if fnmatch(name, kind)] for kind in KINDS)
    beside = [name for name in files if any(fnmatch(name, kind) for kind in BESIDE)]
    return [*next(filter(None, kinds), []), *beside]


def check_disk(folder: Path, needed: int, free: int | None = None) -> None:
    """Raise `RearankError` unless a folder's disk has `needed` bytes left."""
    free = shutil.disk_usage(folder).free if free is None else free
    if free < needed:
        raise RearankError(
            f"{folder}: expected {shown(needed, 'bytes')} of free space for the weights, "
            f"found {shown(free, 'bytes')}",
            hint="free some space, or point HF_HOME to a larger disk",
        )


def size(blobs: Path) -> int:
    """Return the bytes in a folder, half-finished files included."""
    found = 0
    for path in blobs.glob("*"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:  # finished and renamed since
            continue
    return found


def fetch_blob(url: str, headers: Mapping[str, str], blob: Path, sha256: str) -> None:
    """Bring a file to `blob`, going on where an earlier attempt stopped.

    One process at a time does so; others wait. Raises `EngineError` when the hub does not
    deliver, or delivers something else.
    """
    part = blob.with_name(blob.name + PART)
    with part.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if blob.is_file():  # another process was first
            part.unlink(missing_ok=True)
            return
        failures = 0
        while True:
            before = part.stat().st_size
            try:
                _append(url, headers, part)
                break
            except ConnectionError as error:
                failures = 1 if part.stat().st_size > before else failures + 1
                if failures == TRIES:
                    raise EngineError(f"{url}: {error}") from error
                time.sleep(PAUSE * 2 ** (failures - 1))
        with part.open("rb") as done:
            found = hashlib.file_digest(done, "sha256").hexdigest()
        if found != sha256:
            part.unlink()
            raise EngineError(f"{url}: expected SHA-256 {sha256}, found {found}; it was removed")
        part.rename(blob)


def _append(url: str, headers: Mapping[str, str], part: Path) -> None:
    """Append the rest of a file to what is there; raise `ConnectionError` when that breaks off."""
    import httpx

    have = part.stat().st_size
    asked = {**headers, "Accept-Encoding": "identity"}
    if have:
        asked["Range"] = f"bytes={have}-"
    try:
        # httpx keeps the token from the host that the hub sends us on to.
        with httpx.stream("GET", url, headers=asked, follow_redirects=True, timeout=TIMEOUT) as got:
            if got.status_code == 416 and have:
                return  # all of it is there already; its digest will tell
            if got.status_code in (401, 403, 404):
                raise EngineError(f"{url}: the hub says {got.status_code} {got.reason_phrase}")
            got.raise_for_status()
            with part.open("ab") as handle:
                if got.status_code != 206:
                    handle.truncate(0)
                for block in got.iter_raw():  # as it arrives: a break loses nothing
                    handle.write(block)
    except httpx.HTTPError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error


def place(home: Path, revision: str, name: str, blob: Path) -> None:
    """Put a fetched file into the snapshot of a revision, as a link, as the hub's client does."""
    link = home / "snapshots" / revision / name
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..", "..", "blobs", blob.name))


def main(arguments: Sequence[str]) -> None:
    """Fetch what is missing; print first, as one line of JSON, how much that is, or an error."""
    from huggingface_hub import HfApi, get_token, hf_hub_url, snapshot_download

    name, revision, cache = arguments
    listed = HfApi().model_info(name, revision=revision, files_metadata=True).siblings or []
    facts = {each.rfilename: each for each in listed}
    files = wanted(facts)
    home = Path(cache) / f"models--{name.replace('/', '--')}"
    blobs = home / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    missing = [file for file in files if not (home / "snapshots" / revision / file).is_file()]
    needed = sum(facts[file].size or 0 for file in missing)
    begun = sum(path.stat().st_size for path in blobs.glob(f"*{PART}"))
    try:
        check_disk(blobs, needed - begun)
    except RearankError as error:
        print(json.dumps({"error": error.message, "hint": error.hint}), flush=True)  # noqa: T201
        return
    plan = {
        "total": sum(facts[file].size or 0 for file in files),
        "missing": needed,
        "before": size(blobs) - begun,
        "blobs": str(blobs),
    }
    print(json.dumps(plan), flush=True)  # noqa: T201

    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def bring(file: str) -> None:
        # Only large files have a SHA-256; small ones are the client's.
        if lfs := facts[file].lfs:
            blob = blobs / lfs.sha256
            fetch_blob(hf_hub_url(name, file, revision=revision), headers, blob, lfs.sha256)
            place(home, revision, file, blob)

    list(ThreadPoolExecutor(_STREAMS).map(bring, missing))
    snapshot_download(name, revision=revision, cache_dir=cache, allow_patterns=files)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RearankError as error:
        print(error.message, file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)  # the other streams would go on for gigabytes before this is heard of
