"""How well a cluster is filled: `python -m benchmarks.cluster.run KIND [QUERIES REPLICAS…]`.

The kind `paper` runs our driver and our choice of replicas over simulated engines in virtual time,
so that nothing but waiting counts. `actors` puts the same engines into real Ray actors on this
machine, where the time of a call, and that of the command, count too; SCALE=10 makes the simulated
engines ten times slower, for a machine whose cores all actors share.

Ideal is one engine, alone and in virtual time, with its part of the queries: it too has to wait for
the last windows of its longest queries.
"""

import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.rerank import virtual
from benchmarks.rerank.schedules import HITS, WINDOWS, driver
from benchmarks.rerank.simulation import SimulatedEngine, answer_tokens
from rearank_cli.engines.base import Engine, EngineSettings, Model
from rearank_cli.engines.cluster import Cluster
from rearank_cli.engines.ray import RayEngine
from rearank_cli.engines.replica import Facts
from rearank_cli.engines.roster import Roster
from rearank_cli.records import Completion, Passage, Query, Request
from rearank_cli.reranking.chain import Candidates

QUERIES = 10_000
REPLICAS = (1, 8, 64)
SETTINGS = EngineSettings(Model("simulated"))
MEMORY = 80 * 2**20


def work(queries: int) -> list[Candidates]:
    """Return made-up candidates whose texts begin with their numbers."""
    text = "is one of some fifty words, as they are in test collections of the web " * 5
    passages = {f"d{n}": Passage(f"d{n}", f"{n} {text}") for n in range(HITS)}
    return [
        Candidates(Query(f"q{n}", f"number {n}."), tuple(passages), passages)
        for n in range(queries)
    ]


class ScaledEngine(SimulatedEngine):
    """A simulated engine that computes so many times slower.

    A query's windows come to several engines, so that none can count them; answers leave all
    documents where they are, and the first one shown tells which window it is.
    """

    def __init__(self, scale: float = 1.0) -> None:
        """Remember by how much."""
        super().__init__()
        self._scale = scale

    async def complete(self, request: Request) -> Completion:
        """Answer after the time that the batch gives this prompt, in no particular order."""
        prompt = request.prompt
        assert not isinstance(prompt, str), "the recipe is a chat"
        query = int(prompt[-1].content.partition("number ")[2].partition(".")[0])
        first = next(turn.content for turn in prompt if turn.content.startswith("[1] "))
        await self.work(answer_tokens(query, int(first.split()[1])))
        return Completion("<think></think><answer>[1]</answer>")

    async def wait(self, seconds: float) -> None:
        """Let simulated time pass."""
        await asyncio.sleep(seconds * self._scale)


@dataclass(frozen=True)
class SimulatedKit:
    """Replicas that are simulated."""

    scale: float

    def make(self, settings: EngineSettings) -> Engine:
        """Return one."""
        return ScaledEngine(self.scale)

    def traits(self, settings: EngineSettings) -> Mapping[str, str]:
        """All are alike."""
        return {}


@dataclass(frozen=True)
class _Method:
    remote: Callable[..., Coroutine[Any, Any, Any]]


class _Here:
    """A simulated engine in this process that is asked as an actor is."""

    def __init__(self) -> None:
        engine = ScaledEngine()

        async def tell() -> Facts:
            return Facts("here", engine.capacity, engine.kv_tokens, {})

        async def live() -> None:
            await asyncio.get_running_loop().create_future()

        self.open, self.watch = _Method(tell), _Method(live)
        self.complete, self.close = _Method(engine.complete), _Method(engine.close)


class PaperEngine(RayEngine):
    """The engine of clusters without a cluster."""

    async def open(self) -> None:
        """Put all replicas into this process."""
        self._roster = Roster(_Here, {}, 60.0)
        self._roster.add(self._cluster.replicas or 1)
        await all_ready(self._roster)


async def all_ready(roster: Roster) -> None:
    """Wait until all replicas are there; starting them is not what is measured."""
    while len(roster.ready) < len(roster):
        await asyncio.sleep(0.01)


async def measure(engine: RayEngine, queries: int) -> float:
    """Return how many seconds an engine takes, from when all its replicas are ready."""
    await engine.open()
    assert engine._roster is not None, "it is open"
    await all_ready(engine._roster)
    return (await driver(engine, work(queries))).makespan


def ideal(queries: int, replicas: int) -> float:
    """Return how many seconds one engine takes for its part of the queries, alone."""
    return virtual.run(driver(ScaledEngine(), work(-(-queries // replicas)))).makespan


def paper(queries: int, replicas: int) -> None:
    """Measure in virtual time."""
    engine = PaperEngine(SETTINGS, Cluster("none", replicas, 0))
    row(queries, replicas, virtual.run(measure(engine, queries)), 1.0)


def actors(queries: int, replicas: int) -> None:
    """Measure in actors, on a cluster of two nodes that is made for it."""
    from ray.cluster_utils import Cluster as Local

    scale = float(os.environ.get("SCALE", "1"))
    head, other = replicas - replicas // 2, replicas // 2
    local = Local(
        initialize_head=True, head_node_args={"num_cpus": head, "object_store_memory": MEMORY}
    )
    if other:
        local.add_node(num_cpus=other, object_store_memory=MEMORY)
    engine = RayEngine(SETTINGS, Cluster(local.address, replicas, 0), 600.0, SimulatedKit(scale))

    async def main() -> float:
        try:
            return await measure(engine, queries)
        finally:
            await engine.close()

    before = resource.getrusage(resource.RUSAGE_SELF)
    seconds = asyncio.run(main())
    after = resource.getrusage(resource.RUSAGE_SELF)
    local.shutdown()
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    row(queries, replicas, seconds, scale, spent)


def row(queries: int, replicas: int, seconds: float, scale: float, spent: float = 0.0) -> None:
    """Print a row of the table; `spent` is the command's own CPU time in seconds."""
    best = ideal(queries, replicas) * scale
    each = f"{1000 * spent / (queries * WINDOWS):.2f} ms" if spent else ""
    print(
        f"| {queries:,} | {replicas} | {best:.1f} | {seconds:.1f} "
        f"| {best / seconds:.3f} | {each} |",
        flush=True,
    )


def main() -> None:
    """Run what was asked for."""
    kind, *numbers = sys.argv[1:] or ["paper"]
    queries, *replicas = map(int, numbers) if numbers else (QUERIES, *REPLICAS)
    os.environ.setdefault("PYTHONPATH", os.getcwd())
    os.environ.setdefault("RAY_TMPDIR", tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")
    print("| queries | replicas | ideal, s | s | efficiency | own CPU per window |")
    print("| --: | --: | --: | --: | --: | --: |", flush=True)
    for count in replicas:
        (actors if kind == "actors" else paper)(queries, count)


if __name__ == "__main__":
    main()
