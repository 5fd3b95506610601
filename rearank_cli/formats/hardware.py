"""What of this machine belongs to the origin of a run, in ir_metadata's words."""

import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


@cache
def described() -> dict[str, Any]:
    """Return ir_metadata's `hardware` and `operating system`, as far as the system tells them."""
    cpu = {
        "model": _cpu_model(),
        "architecture": platform.machine(),
        "number of cores": os.cpu_count(),
    }
    return {
        "hardware": {"cpu": {name: value for name, value in cpu.items() if value}, **_memory()},
        "operating system": {
            "kernel": f"{platform.system()} {platform.release()}",
            **_distribution(),
        },
    }


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def _memory() -> dict[str, str]:
    with suppress(OSError, ValueError):
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return {"ram": f"{size / 2**30:.0f} GB"}
    return {}


def _distribution() -> dict[str, str]:
    with suppress(OSError):
        return {"distribution": platform.freedesktop_os_release()["PRETTY_NAME"]}
    return {}
