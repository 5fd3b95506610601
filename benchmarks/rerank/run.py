"""Compare schedules of windows: `python -m benchmarks.rerank.run simulated|pooled|…`."""

import asyncio
import statistics
import sys
import time

from benchmarks.rerank import pooled, virtual
from benchmarks.rerank.schedules import SCHEDULES, WINDOWS, Outcome, driver, work
from benchmarks.rerank.simulation import SimulatedEngine
from rearank_cli.records import Completion, Request

SIZES = (16, 32, 43, 100, 200, 500, 1000)


def table(title: str, rows: dict[str, Outcome]) -> None:
    """Print a Markdown table: seconds, ratio to our driver, when the first query was done."""
    ours = rows["rearank"].makespan
    print(f"\n{title}\n\n| schedule | seconds | of rearank | first query done at |")
    print("| :-- | --: | --: | --: |")
    for name, outcome in rows.items():
        share = outcome.first / outcome.makespan
        print(
            f"| {name} | {outcome.makespan:.1f} | {outcome.makespan / ours:.2f} x | {share:.0%} |"
        )


def simulated() -> None:
    """Compare the schedules on the simulated engine, for several numbers of queries."""
    for size in SIZES:
        items = work(size)
        rows: dict[str, Outcome] = {
            name: virtual.run(schedule(SimulatedEngine(), items))
            for name, schedule in SCHEDULES.items()
        }
        table(f"Simulated engine, {size} queries x 100 hits", rows)


class InstantEngine(SimulatedEngine):
    """Answers at once."""

    async def complete(self, request: Request) -> Completion:
        """Return a full order of the window."""
        return Completion(f"<think>{'word ' * 500}</think><answer>{ORDER}</answer>")


ORDER = " > ".join(f"[{number}]" for number in range(20, 0, -1))


def overhead(queries: int = 200, rounds: int = 7) -> None:
    """Measure the CPU time of everything but the engine, per window of 20 passages."""
    items = work(queries)
    found = []
    for _ in range(rounds):
        begun = time.process_time()
        asyncio.run(driver(InstantEngine(), items))
        found.append((time.process_time() - begun) / (queries * WINDOWS) * 1000)
    print(
        f"\nCPU time of the driver, {queries} queries, an engine that answers at once: "
        f"median {statistics.median(found):.2f} ms per window of 20 passages "
        f"({min(found):.2f} to {max(found):.2f} over {rounds} rounds)"
    )


def main() -> None:
    """Run the parts that are named, or the three that need no engine."""
    parts = sys.argv[1:] or ["simulated", "pooled", "overhead"]
    if "simulated" in parts:
        simulated()
    if "pooled" in parts:
        pooled.table(pooled.compare())
    if "overhead" in parts:
        overhead()
    if "vllm" in parts:
        from benchmarks.rerank.real import compare

        table(*compare())


if __name__ == "__main__":
    main()
