"""Measure the server itself: `python -m benchmarks.serving.run overhead|load`.

The engine takes a known time and answers at once after it, so that what is left is the server's.
Server and clients are processes of their own.
"""

import asyncio
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from rearank_cli.engines.base import Ability
from rearank_cli.records import Completion, Request

DOCUMENTS = 20
ORDER = " > ".join(f"[{number}]" for number in range(DOCUMENTS, 0, -1))
SECONDS = 2.0
"""How long the engine takes for a window, give or take half of it."""
IN_FLIGHT, ROUNDS = 50, 8


class TimedEngine:
    """Answers every window with the same order after `seconds`, give or take half of it."""

    reserved: Sequence[str] = ()
    kv_tokens = 0
    most_choices = 0
    capacity = 256
    abilities: frozenset[Ability] = frozenset(("chat",))

    def __init__(self, seconds: float) -> None:
        """Take the mean time."""
        self._seconds = seconds
        self._random = random.Random(0)

    def identity(self) -> dict[str, Any]:
        """Nothing depends on anything."""
        return {}

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def complete(self, request: Request) -> Completion:
        """Wait and answer; say how long it took."""
        began = time.perf_counter()
        await asyncio.sleep(self._seconds * self._random.uniform(0.5, 1.5))
        seconds = time.perf_counter() - began
        return Completion(f"<answer>{ORDER}</answer>", seconds=seconds)


def serve(seconds: float, ready: Any) -> None:
    """Run a server in this process; tell its port and its process id."""
    import os

    from rearank_cli.reranking.reranker import Reranker
    from rearank_cli.serving.app import Access
    from rearank_cli.serving.limits import Limits
    from rearank_cli.serving.server import bind, serve_http
    from rearank_cli.serving.service import Service

    service = Service(Reranker(engine=TimedEngine(seconds)), Limits(queue=256))
    address = bind("127.0.0.1", 0)
    ready.send((address.getsockname()[1], os.getpid()))
    asyncio.run(serve_http(service, Access(), address))


@contextmanager
def server(seconds: float) -> Iterator[tuple[str, int]]:
    """Start a server; yield its address and process id."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=serve, args=(seconds, there))
    process.start()
    port, pid = here.recv()
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    try:
        yield url, pid
    finally:
        process.terminate()
        process.join()


def body(number: int) -> dict[str, Any]:
    """Return a request of 20 passages of some fifty words."""
    text = "A passage of some fifty words, as they are in test collections of the web. " * 5
    return {
        "query": f"number {number}",
        "documents": [f"{text} {number} {place}" for place in range(DOCUMENTS)],
        "explain": True,
    }


async def overhead(url: str) -> list[float]:
    """Return what requests took beyond the engine's time, in milliseconds, with 50 in flight."""
    found: list[float] = []

    async def one(client: httpx.AsyncClient, number: int) -> None:
        await asyncio.sleep(SECONDS * number / IN_FLIGHT)  # not all at the same moment
        for turn in range(ROUNDS):
            content = body(number * ROUNDS + turn)
            began = time.perf_counter()
            reply = await client.post("/v2/rerank", json=content)
            took = time.perf_counter() - began
            # The trace rounds to milliseconds.
            found.append((took - sum(each["seconds"] for each in reply.json()["windows"])) * 1000)

    limits = httpx.Limits(max_connections=IN_FLIGHT)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        await asyncio.gather(*(one(client, number) for number in range(IN_FLIGHT)))
    return found


def memory(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def load(url: str, clients: int, each: int) -> None:
    """Let many clients ask, among them some that leave, send garbage and too much."""

    async def one(client: httpx.AsyncClient, number: int) -> None:
        for turn in range(each):
            way = (number + turn) % 8
            try:
                if way == 1:
                    await client.post("/v2/rerank", json=body(number), timeout=0.02)
                elif way == 3:
                    await client.post("/v2/rerank", content=b"{\xff")
                elif way == 5:
                    await client.post("/v2/rerank", json={"query": "q", "documents": ["x"] * 1001})
                else:
                    reply = await client.post("/v2/rerank", json=body(number * each + turn))
                    assert reply.status_code in (200, 429), reply.text
            except httpx.TimeoutException:
                pass

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        await asyncio.gather(*(one(client, number) for number in range(clients)))


def main() -> None:
    """Run the parts that are named, or both."""
    parts = sys.argv[1:] or ["overhead", "load"]
    if "overhead" in parts:
        with server(SECONDS) as (url, _):
            asyncio.run(overhead(url))  # warm
            found = sorted(asyncio.run(overhead(url)))
        p99 = found[int(len(found) * 0.99)]
        print(
            f"overhead, {IN_FLIGHT} in flight, {len(found)} requests of {DOCUMENTS} passages: "
            f"p50 {statistics.median(found):.1f} ms, p99 {p99:.1f} ms, most {found[-1]:.1f} ms"
        )
    if "load" in parts:
        with server(0.01) as (url, pid):
            print(f"load, 200 clients x 5 requests a round: {memory(pid):.1f} MB before", end="")
            for _ in range(6):
                asyncio.run(load(url, 200, 5))
                print(f", {memory(pid):.1f}", end="", flush=True)
            print(" MB after each round")


if __name__ == "__main__":
    main()
