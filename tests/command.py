"""A small collection on disk and the command `rearank` in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for a command whose cache is below `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REARANK_")}
    return {**kept, "REARANK_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(ROOT)}


def rearank(
    folder: Path, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder` to its end; `env` is added to the environment."""
    return subprocess.run(
        [sys.executable, "-m", "rearank_cli", *arguments],
        cwd=folder,
        env={**environment(folder), **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
    )


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in `folder`; it fails where any command of a pipe does."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=600,
    )


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command in `folder`, in a process group of its own, where Ctrl-C works.

    When the tests themselves run in the background of a script, SIGINT is ignored, and a child
    would inherit that.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "rearank_cli", *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below a process; none for one that is gone."""
    below: set[int] = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below.update(map(int, listed.read_text().split()))
        except OSError:
            continue
    return below.union(*map(descendants, below))


def gone_after(pids: Iterable[int], seconds: float) -> bool:
    """Wait until all of these processes are gone; tell whether they were in time."""
    waited_for, until = set(pids), time.monotonic() + seconds
    while any(map(alive, waited_for)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, waited_for))


@dataclass(frozen=True)
class Numbers:
    """Queries over passages that say their number; the run has the highest number first."""

    queries: int
    hits: int

    def write(self, folder: Path) -> None:
        """Write corpus.tsv, queries.tsv, qrels.txt and run.trec."""
        names = [f"d{n:03}" for n in range(self.hits)]
        (folder / "corpus.tsv").write_text(
            "".join(f"{name}\tpassage {name[1:]}\n" for name in names)
        )
        topics = [f"q{n}" for n in range(self.queries)]
        (folder / "queries.tsv").write_text("".join(f"{q}\twhat is {q}\n" for q in topics))
        (folder / "qrels.txt").write_text("".join(f"{q} 0 d000 1\n" for q in topics))
        (folder / "run.trec").write_text(
            "".join(
                f"{q} Q0 {name} {rank} {self.hits - rank} bm25\n"
                for q in topics
                for rank, name in enumerate(reversed(names), 1)
            )
        )


FILES = ("--corpus", "corpus.tsv", "--queries", "queries.tsv")


def served(url: str) -> tuple[str, ...]:
    """Return the options for a scripted server."""
    return (*FILES, "--base-url", url, "--model", "scripted")
