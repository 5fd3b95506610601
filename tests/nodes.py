"""A real Ray cluster of two nodes in processes, and how tests wait for it."""

import asyncio
import faulthandler
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from command import ROOT

from rearank_cli.engines.ray import RayEngine

MEMORY = 80 * 2**20  # of a node's object store, in bytes; Ray's own least is 75 MiB


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A cluster of two nodes with one CPU each, in processes of this machine."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # sockets have short names
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "tests"))))
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("REARANK_CACHE_DIR", folder)
        from ray.cluster_utils import Cluster as Local

        local = Local(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "object_store_memory": MEMORY,
                "include_dashboard": False,
            },
        )
        local.add_node(num_cpus=1, object_store_memory=MEMORY)
        yield local
        local.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End a test that hangs; its whole process where that does not help, a minute later."""

    def ended(number: int, frame: object) -> None:
        raise AssertionError(f"not done after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ended)
    signal.setitimer(signal.ITIMER_REAL, seconds, 10.0)
    faulthandler.dump_traceback_later(seconds + 60, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that comes sooner or later."""
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come")


@asynccontextmanager
async def opened(engine: RayEngine) -> AsyncIterator[RayEngine]:
    try:
        await engine.open()
        yield engine
    finally:
        await engine.close()
