"""Twelve collections one after the other, against all of them in one queue, on the simulator."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.rerank import virtual
from benchmarks.rerank.schedules import Schedule, driver, unbound, work
from benchmarks.rerank.simulation import SEQUENCES, SimulatedEngine
from rearank_cli.records import Completion, Request
from rearank_cli.reranking.chain import Candidates

SIZES = (43, 54, 76, 97, 101, 103, 111, 117, 142, 142, 194, 200)
"""Queries in each of twelve collections."""


class Watched(SimulatedEngine):
    """Adds up how long its requests were in flight."""

    def __init__(self) -> None:
        """Start idle."""
        super().__init__()
        self.flown = 0.0

    async def complete(self, request: Request) -> Completion:
        """Answer, and note how long that took."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        completion = await super().complete(request)
        self.flown += loop.time() - begun
        return completion


@dataclass(frozen=True)
class Cost:
    """Seconds of the engine, how often it was started, and the requests in flight on average."""

    seconds: float
    starts: int
    in_flight: float


def collections(sizes: Sequence[int] = SIZES) -> list[list[Candidates]]:
    """Return the work of each collection; every query has answers of its own length."""
    items = work(sum(sizes))
    made, start = [], 0
    for size in sizes:
        made.append(items[start : start + size])
        start += size
    return made


def cost(parts: Sequence[Sequence[Candidates]], schedule: Schedule = driver) -> Cost:
    """Return what it takes to do the parts one after the other, each with an engine of its own."""
    seconds = flown = 0.0
    for part in parts:
        engine = Watched()
        seconds += virtual.run(schedule(engine, part)).makespan
        flown += engine.flown
    return Cost(seconds, len(parts), flown / seconds)


def compare(sizes: Sequence[int] = SIZES) -> dict[str, Cost]:
    """Return the costs of both ways, and the bound: all windows at once."""
    parts = collections(sizes)
    everything = [[item for part in parts for item in part]]
    return {
        "one after the other": cost(parts),
        "pooled": cost(everything),
        "no dependencies (bound)": cost(everything, unbound),
    }


def table(rows: dict[str, Cost]) -> None:
    """Print a Markdown table."""
    bound = rows["no dependencies (bound)"].seconds
    print(f"\nTwelve collections of {min(SIZES)} to {max(SIZES)} queries, simulated engine\n")
    print("| way | seconds | of the bound | engine starts | sequences in flight |")
    print("| :-- | --: | --: | --: | --: |")
    for name, row in rows.items():
        ratio = f"{row.seconds / bound:.3f} x"
        flying = f"{row.in_flight:.0f}" if row.in_flight <= SEQUENCES else "all"
        print(f"| {name} | {row.seconds:.1f} | {ratio} | {row.starts} | {flying} |")
