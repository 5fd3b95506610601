"""Checks of what there is room for: memory, disk and the folders of the caches. Sizes in bytes."""

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import cache_dir
from rearank_cli.formats.files import reason
from rearank_cli.health.finding import Finding

GIB = 1 << 30
# Java takes 1 GiB for the demo; the embedded model with vLLM's CPU build some 8 with its cache.
LEAST_MEMORY = 1 * GIB
GOOD_MEMORY = 8 * GIB
# Answers and the demo's index take megabytes; a model and a large index take 20 GB.
LEAST_DISK = 1 << 28
GOOD_DISK = 20 * GIB
_ROOT = Path("/")


def free_memory(root: Path = _ROOT) -> int | None:
    """Return the bytes that a new process may have: the machine's, or the container's if fewer.

    `root` is the root of the file system. None where neither tells.
    """
    found = []
    with suppress(OSError):
        text = (root / "proc/meminfo").read_text("utf-8", "replace")
        if match := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
            found.append(int(match[1]) * 1024)
    for limit, used in (
        ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current"),
        (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        with suppress(OSError, ValueError):  # without a limit it says "max"
            most, now = (int((root / place).read_text()) for place in (limit, used))
            found.append(max(most - now, 0))
    return min(found, default=None)


def check_memory(free: int | None, served: bool = False) -> Finding:
    """Judge the free memory; a model in this process needs more than a server's client."""
    if free is None:
        return Finding("memory", "ok", "this system does not tell")
    found = f"{free / GIB:.1f} GiB free"
    if free < LEAST_MEMORY:
        return Finding("memory", "bad", found, "end other programs; Java alone may take 1 GiB")
    if free < GOOD_MEMORY and not served:
        return Finding(
            "memory",
            "note",
            found,
            "8 GiB are good for the embedded model; VLLM_CPU_KVCACHE_SPACE=1 takes less, "
            "a server (`base_urls`) none",
        )
    return Finding("memory", "ok", found)


def check_disk(name: str, folder: Path, remedy: str, free: int | None = None) -> Finding:
    """Judge the disk of a folder that we write to; `free` is told in tests."""
    try:
        free = shutil.disk_usage(_existing(folder)).free if free is None else free
    except OSError as error:
        return Finding(name, "bad", f"{folder}: {reason(error)}", remedy)
    found = f"{folder}, {free / 1e9:.1f} GB free"
    if not os.access(_existing(folder), os.W_OK):
        return Finding(name, "bad", f"{folder}: cannot be written", remedy)
    if free < LEAST_DISK:
        return Finding(name, "bad", found, f"free some space, or {remedy}")
    if free < GOOD_DISK:
        return Finding(
            name, "note", found, f"models and large indexes take 20 GB; free some, or {remedy}"
        )
    return Finding(name, "ok", found)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))


def check_cache() -> Finding:
    """Look at the folder for answers, indexes and downloads."""
    remedy = "set REARANK_CACHE_DIR to a folder on a larger disk that you may write to"
    try:
        return check_disk("cache", cache_dir(), remedy)
    except RearankError as error:
        return Finding("cache", "bad", error.message, error.hint)


def check_hub_cache(environ: Mapping[str, str] = os.environ) -> Finding:
    """Look at the folder where models of the hub are kept, in the order in which the hub looks."""
    home = environ.get("HF_HOME") or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    place = environ.get("HF_HUB_CACHE") or f"{home}/hub"
    remedy = "point HF_HOME to a folder on a larger disk that you may write to"
    return check_disk("hub cache", Path(place).expanduser(), remedy)
