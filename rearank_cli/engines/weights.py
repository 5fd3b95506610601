"""The weights of a hub model: fetched before the engine starts, and seen to arrive.

vLLM would fetch them in silence while it starts. A process of its own does it (`hub.py`), so that
the guard ends it with everything else when the command is interrupted; what has arrived is kept
and the next attempt goes on from there.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rearank_cli.engines.base import Model
from rearank_cli.engines.hub import size
from rearank_cli.errors import EngineStartError, RearankError
from rearank_cli.progress import INTERVAL, shown

Tell = Callable[[str], None]

_STEMS = ("consolidated.safetensors", "model.safetensors", "pytorch_model.bin")
_LOADED_HERE = ("auto", "hf", "safetensors")
_LOOK = 1.0  # seconds between two looks at what has arrived
_WIDTH = 20  # characters of the bar


def fetch_weights(model: Model, engine_args: Mapping[str, Any], tell: Tell) -> str:
    """Return the folder of a model with its weights in it, fetched if need be.

    `tell` hears how far it is. Models in folders, and weights that vLLM is told to find in
    another way (`revision`, `load_format`), are left alone. Raises `RearankError` when the disk
    is too small, `EngineStartError` when the weights cannot be had.
    """
    special = engine_args.get("load_format", "auto") not in _LOADED_HERE
    if not model.location or Path(model.location).is_dir() or special or "revision" in engine_args:
        return model.location
    from huggingface_hub import constants

    cache = str(engine_args.get("download_dir") or constants.HF_HUB_CACHE)
    folder = snapshot(model, cache)
    if folder is None or not complete(folder):
        _fetch(model, cache, tell)
        folder = snapshot(model, cache)
    return str(folder) if folder else model.location


def snapshot(model: Model, cache: str) -> Path | None:
    """Return the folder in the hub's cache for this revision of a model, if there is one."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        model.location, "config.json", cache_dir=cache, revision=model.revision
    )
    return Path(found).parent if isinstance(found, str) else None


def complete(folder: Path) -> bool:
    """Tell whether a folder has all files of one kind of weights, without asking anybody."""
    for stem in _STEMS:
        index = folder / f"{stem}.index.json"
        if index.is_file():
            shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
            if all((folder / shard).is_file() for shard in shards):
                return True
        if (folder / stem).is_file():
            return True
    return False


def _fetch(model: Model, cache: str, tell: Tell) -> None:
    """Run `hub.py` as a program and tell what arrives."""
    tell(f"fetching the weights of {model.name}")
    process = subprocess.Popen(
        [sys.executable, "-m", "rearank_cli.engines.hub", model.location, model.revision, cache],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    first = process.stdout.readline()
    plan = json.loads(first) if first else {}
    if "total" in plan:
        _watch(process, model.name, plan, tell)
    rest, errors = process.communicate()
    if "error" in plan:
        raise RearankError(plan["error"], plan["hint"])
    if process.returncode:
        lines = (rest + errors).strip().splitlines() or ["it was interrupted"]
        raise EngineStartError(
            f"`model` {model.name}: the weights could not be fetched: {lines[-1]}",
            hint="run the command again: what has arrived is kept",
        )


def _watch(
    process: "subprocess.Popen[str]", name: str, plan: Mapping[str, Any], tell: Tell
) -> None:
    """Tell every second on a terminal, now and then elsewhere, until the process ends."""
    blobs, total = Path(plan["blobs"]), int(plan["total"])
    begun = told = time.monotonic()
    begun_with = size(blobs)
    while True:
        try:
            process.wait(_LOOK)
            return
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if now - told >= (0 if sys.stderr.isatty() else INTERVAL):
            told, here = now, size(blobs)
            done = total - int(plan["missing"]) + max(0, here - int(plan["before"]))
            tell(bar(name, done, total, (here - begun_with) / (now - begun)))


def bar(name: str, done: int, total: int, speed: float) -> str:
    """Return how far a download is, as one line; `speed` is bytes per second."""
    done = min(done, total)
    full = _WIDTH * done // max(total, 1)
    left = f", {(total - done) / speed / 60:.0f} min left" if speed > 0 else ""
    return (
        f"fetching {name} {'█' * full}{'░' * (_WIDTH - full)} {shown(done, 'bytes')} of "
        f"{shown(total, 'bytes')}, {shown(int(speed), 'bytes')}/s{left}"
    )
