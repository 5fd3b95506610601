"""Memory and time of large work: `python -m benchmarks.scale.run FIGURE [SIZE]`.

Each figure is taken in a process of its own. `documents [QUERIES]`, `run [LINES]`,
`corpus [GIGABYTES]`, `driver [QUERIES]`; without a size, the one of the table in ../README.md.
"""

import asyncio
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.rerank.simulation import SimulatedEngine
from benchmarks.scale import made
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Completion, Request
from rearank_cli.reranking.driver import Driver, Listener, Settings
from rearank_cli.reranking.reranker import Reranker
from rearank_cli.reranking.trace import AskTrace

WINDOWS = 9
LOOKED_UP = 100_000
ORDER = " > ".join(f"[{number}]" for number in range(20, 0, -1))


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory() -> float:
    """Return the memory that this process has now, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def documents(queries: int = 10_000) -> None:
    """Join 100 hits a query, each of a document of its own with 20,000 characters."""
    reranker = Reranker(recipe="rearank", engine=_Instant())
    begun = time.process_time()
    work = reranker.candidates(made.run_of(queries), made.collection(queries, 20_000))
    took = time.process_time() - begun
    print(f"{len(work):,} queries x 100 documents of 20,000 characters: ", end="")
    print(f"peak {peak():,.0f} MB, {took:.0f} s of CPU")


def run(lines: int = 7_000_000) -> None:
    """Read a run as `rerank` does, with the first 100 hits of each query to rerank."""
    from rearank_cli.formats.trec_fast import read_run_top

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run.trec"
        made.run_file(place, lines)
        before, begun = peak(), time.process_time()
        read = read_run_top(place, 100)
        took = time.process_time() - begun
        print(f"run of {lines:,} lines: peak {peak():,.0f} MB ({before:.0f} before), ", end="")
        print(f"{took:.0f} s of CPU, {len(read.rankings):,} queries")


def corpus(gigabytes: float = 3.0) -> None:
    """Look up 100,000 random passages of a file, three times in fresh processes' manner."""
    from rearank_cli.collection.files import CorpusFile

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "corpus.jsonl"
        count = made.corpus_file(place, gigabytes)
        wanted = {f"{n}" for n in random.Random(7).sample(range(count), min(LOOKED_UP, count))}
        for use in ("first", "second", "third", "fourth"):
            begun, worked = time.perf_counter(), time.process_time()
            found = {passage.doc_id for passage in CorpusFile(place).lookup(wanted)}
            took, worked = time.perf_counter() - begun, time.process_time() - worked
            assert found == wanted
            print(f"{gigabytes} GB, {use} use: {len(found):,} passages in {took:.1f} s", end="")
            print(f" ({worked:.1f} s of CPU)", flush=True)


class _Instant(SimulatedEngine):
    """Answers at once, with 2,000 characters of reasoning."""

    async def complete(self, request: Request) -> Completion:
        """Return a full order of the window, after whoever else is ready."""
        await asyncio.sleep(0)
        return Completion(f"<think>{'word ' * 400}</think><answer>{ORDER}</answer>")


class _Watch(Listener):
    """Prints the memory at every tenth of the work."""

    def __init__(self, windows: int) -> None:
        self._windows, self._done = windows, 0
        self._begun = time.process_time()

    def answered(self, trace: AskTrace, expected: int) -> None:
        """Count."""
        self._done += 1
        if self._done % (self._windows // 10) == 0:
            each = (time.process_time() - self._begun) / self._done * 1000
            share = self._done / self._windows
            print(f"{share:5.0%}  {memory():6.0f} MB  {each:.2f} ms of CPU a window", flush=True)


def driver(queries: int = 100_000) -> None:
    """Rerank with an engine that answers at once: what the driver takes, and whether it grows."""
    from rearank_cli.reranking.files import Job, RunFiles, rerank_to

    shared = made.run_of(queries, shared=50_000)
    reranker = Reranker(recipe="rearank", engine=_Instant())
    work = reranker.candidates(shared, made.collection(queries, 1_000))
    del shared
    settings = Settings(load_recipe("rearank"), Sliding())
    before = f"{memory():.0f} MB, peak {peak():.0f} MB"
    print(f"{queries:,} queries x {WINDOWS} windows; before the first: {before}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        files = RunFiles(f"{folder}/new.trec", None, "made")
        job = Job(files, work, lambda: {"made": True})
        watch = _Watch(queries * WINDOWS)
        asyncio.run(rerank_to([job], lambda each: Driver(reranker.engine, settings, each), watch))
    print(f"at the end: {memory():.0f} MB, peak {peak():.0f} MB")


if __name__ == "__main__":
    figures: dict[str, Callable[..., None]] = {
        "documents": documents,
        "run": run,
        "corpus": corpus,
        "driver": driver,
    }
    name, *size = sys.argv[1:] or ["documents"]
    figures[name](*[float(each) if "." in each else int(each) for each in size])
