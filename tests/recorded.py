"""What the commands write on known input, without what differs from run to run, and its digests.

    PYTHONPATH=. python tests/recorded.py --tree ../before --write      # digests to tests/unchanged
    PYTHONPATH=. python tests/recorded.py --tree . --keep /tmp/now      # the outputs, for diff -r

Compared is what commands write to stdout and files. Left out on purpose:
- the provenance of traces, evaluations and reports: versions, times, commands, paths, digests of
  files;
- seconds: the traces get the same ones before they are explained, and the totals' are left out;
- of a trace, all but what was shown and understood: `start`, `stop` and the like, which say where;
- of a report's page, everything but its words: styles, scripts, the coordinates of its charts;
- stderr.
"""

import argparse
import hashlib
import html
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from llm_server import serving
from scripted import ids, shown

from rearank_cli.records import Prompt

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "unchanged"
SHARED = ("cacm", "cisi", "vaswani")
QUERIES = 8
COMPARED = {"table": True, "tsv": True, "csv": False, "markdown": False, "latex": True}
VOLATILE = {"provenance", "seconds", "seconds_per_window", "started", "libraries", "rearank"}
TRACED = (
    *("query_id", "query", "pass", "before", "after", "reasoning", "answer", "flaws"),
    *("finish_reason", "prompt_tokens", "completion_tokens", "passage_chars", "shortened"),
)


def judge(prompt: Prompt) -> str:
    """Order passages by a digest of their text; every fourth answer or so has a flaw."""
    texts = shown(prompt)
    order = sorted(range(len(texts)), key=lambda at: hashlib.sha256(texts[at].encode()).digest())
    luck = hashlib.sha256("\n".join(texts).encode()).digest()[0] % 16
    if luck == 0:
        return "<think>I do not know.</think><answer></answer>"
    flawed = {1: order[:-1], 2: [*order, order[0]], 3: [len(texts) + 1, *order]}
    return f"<think>By digest.</think><answer>{ids(flawed.get(luck, order))}</answer>"


class Recorder:
    """Runs the commands of one source tree in a folder; keeps what they wrote, by name."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self.folder = folder
        self.outputs: dict[str, str] = {}
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("REARANK_")
        }
        self._environment = {
            **kept,
            "REARANK_CACHE_DIR": str(folder / "cache"),
            "PYTHONPATH": str(tree.resolve()),
            "COLUMNS": "100",
            # Processes that live for a second: less to start, nothing to share two cores with.
            "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }

    def run(self, *arguments: str) -> str:
        """Run a command to its end and return its stdout; it must not fail."""
        done = subprocess.run(
            [sys.executable, "-m", "rearank_cli", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"rearank {' '.join(arguments)}: {done.stderr[-2000:]}"
        return done.stdout

    def note(self, name: str, clean: Callable[[str], str], *arguments: str) -> None:
        """Run a command and keep its stdout."""
        self.outputs[name] = clean(self.run(*arguments))


def plain(text: str) -> str:
    return text


def without_seconds(text: str) -> str:
    """Drop seconds and widths from text for people."""
    text = re.sub(r"(?m)^seconds.*$", "", text)
    text = re.sub(r"[0-9][0-9,.]* s\b", "some s", text)
    return re.sub(r"[─━]+", "─", re.sub(r"[ \t]+", " ", text))


def without_volatile(text: str) -> str:
    """Drop what differs from run to run from JSON."""

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: kept(each) for name, each in value.items() if name not in VOLATILE}
        return [kept(each) for each in value] if isinstance(value, list) else value

    return json.dumps(kept(json.loads(text)), indent=1, ensure_ascii=False)


def traced(text: str) -> str:
    """Return what was shown and understood, a line for each window."""
    windows = [json.loads(line) for line in text.splitlines()]
    return "\n".join(
        json.dumps({name: window[name] for name in TRACED}, ensure_ascii=False)
        for window in windows
        if "provenance" not in window
    )


def same_seconds(trace: Path) -> None:
    """Give every window of a trace the same time."""
    text = re.sub(r'"seconds": [0-9.e-]+', '"seconds": 1.0', trace.read_text("utf-8"))
    trace.write_text(text, "utf-8")


def words(page: str) -> str:
    """Return the words of a page, one text after the other, without its provenance."""
    page = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", page)
    page = re.split(r'<section[^>]* id="provenance"|<h2[^>]*>Provenance', page)[0]
    texts = [html.unescape(each).strip() for each in re.sub(r"<[^>]+>", "\n", page).split("\n")]
    return without_seconds("\n".join(each for each in texts if each))


def first_stage(source: Path, chosen: set[str], target: Path) -> tuple[str, str]:
    """Write a run of these queries; return one of them, and a document of it further down."""
    lines = [line.split() for line in source.read_text().splitlines() if line.split()[0] in chosen]
    target.write_text("".join(" ".join(line) + "\n" for line in lines))
    query = lines[0][0]
    return query, [line[2] for line in lines if line[0] == query][11]


def part_of(collection: Path, folder: Path) -> set[str]:
    """Make a folder of a collection's documents and first judged queries; return these."""
    folder.mkdir()
    (folder / "corpus.jsonl").symlink_to(collection / "corpus.jsonl")
    qrels = (collection / "qrels.trec").read_text().splitlines(keepends=True)
    retrieved = {line.split()[0] for line in (collection / "bm25.trec").read_text().splitlines()}
    able = retrieved & {line.split()[0] for line in qrels}
    queries = (collection / "queries.jsonl").read_text("utf-8").splitlines(keepends=True)
    queries = [line for line in queries if json.loads(line)["_id"] in able][:QUERIES]
    chosen = {json.loads(line)["_id"] for line in queries}
    (folder / "queries.jsonl").write_text("".join(queries), "utf-8")
    (folder / "qrels.trec").write_text("".join(x for x in qrels if x.split()[0] in chosen))
    return chosen


def rerank(recorder: Recorder, name: str) -> None:
    """Rerank with both strategies, twice over."""
    small = ("--depth", "30", "--window", "10", "--stride", "5")
    with serving(judge) as server:
        where = ("-d", name, "--base-url", server.url, "--model", "scripted", "--passes", "2")
        recorder.run("rerank", "bm25.trec", *where, *small, "-o", "sliding.trec")
        recorder.run("rerank", "bm25.trec", *where, "--strategy", "topdown", "-o", "topdown.trec")
    for strategy in ("sliding", "topdown"):
        same_seconds(recorder.folder / f"{strategy}.trace.jsonl")
        for end, clean in ((".trec", plain), (".trace.jsonl", traced)):
            text = (recorder.folder / f"{strategy}{end}").read_text("utf-8")
            recorder.outputs[f"rerank {strategy}{end}"] = clean(text)


RUNS = ("bm25.trec", "sliding.trec", "topdown.trec")
TRACE = "sliding.trace.jsonl"


def brief(recorder: Recorder, name: str, query: str) -> None:
    """Record what is recorded of every collection."""
    note = recorder.note
    note("retrieve", plain, "retrieve", "-d", name, "--hits", "50")
    rerank(recorder, name)
    measured = ("eval", *RUNS, "-d", name, "-m", "nDCG@10", "-m", "R@20", "-m", "RR@10")
    baseline = ("--baseline", "bm25.trec", "--format", "json")
    note("eval json", without_volatile, *measured, *baseline)
    note("fuse rrf", plain, "fuse", *RUNS)
    about = ("explain", TRACE, "--query", query, "-d", name)
    note("explain query", without_seconds, *about)
    note("explain query json", without_volatile, *about, "--json")
    drawn = ("--draws", "2", "--window", "5-8", "--depth", "30")
    note("augment", plain, "augment", "bm25.trec", "-d", name, *drawn)
    note("report", words, "report", "bm25.trec", "sliding.trec", "-d", name, "--trace", TRACE)


def full(recorder: Recorder, query: str, doc: str) -> None:
    """Record what is recorded of the demo alone."""
    note = recorder.note
    note("retrieve rm3", plain, "retrieve", "-d", "demo", "--hits", "20", "--rm3")
    measured = ("eval", *RUNS[:2], "-d", "demo", "-m", "nDCG@10", "-m", "P@5")
    for format_, compared in COMPARED.items():
        baseline = ("--baseline", RUNS[0]) if compared else ()
        note(f"eval {format_}", plain, *measured, *baseline, "--format", format_)
    note("eval per query", plain, *measured, "--per-query", "--format", "csv")
    note("eval diff", plain, *measured, "--baseline", RUNS[0], "--diff")
    note("fuse combsum", plain, "fuse", *RUNS, "--method", "combsum", "--depth", "20")
    views: dict[str, tuple[str, ...]] = {
        "window": ("--query", query, "--window", "2"),
        "doc": ("--query", query, "--doc", doc),
        "flawed": ("--flawed",),
        "summary": ("--summary",),
    }
    for name, view in views.items():
        note(f"explain {name}", without_seconds, "explain", TRACE, *view)
        note(f"explain {name} json", without_volatile, "explain", TRACE, *view, "--json")
    drawn = ("--draws", "1", "--window", "4", "--depth", "20", "--sft", "--seed", "1")
    note("augment sft", plain, "augment", "bm25.trec", "-d", "demo", *drawn)


def record(name: str, tree: Path, folder: Path, shared: Path | None = None) -> dict[str, str]:
    """Return what the commands of a tree write on the demo or a shared collection, by name."""
    recorder = Recorder(tree, folder)
    if name == "demo":
        source = FOLDER / "demo.bm25.trec"
        chosen = {line.split()[0] for line in source.read_text().splitlines()}
    else:
        assert shared, "shared collections are in a folder"
        collection = shared / "collections" / name
        source, chosen = collection / "bm25.trec", part_of(collection, folder / name)
    query, doc = first_stage(source, chosen, folder / "bm25.trec")
    brief(recorder, name, query)
    if name == "demo":
        full(recorder, query, doc)
    return recorder.outputs


def digests(outputs: dict[str, str]) -> dict[str, str]:
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in outputs.items()}


def every(tree: Path, base: Path, shared: Path) -> dict[str, Future[dict[str, str]]]:
    """Begin to record the demo and, where there are any, the shared collections, two at a time."""
    pool = ThreadPoolExecutor(2)
    begun = {}
    for name in ("demo", *(SHARED if shared.is_dir() else ())):
        folder = base / name
        folder.mkdir()
        begun[name] = pool.submit(record, name, tree, folder, shared)
    pool.shutdown(wait=False)
    return begun


def main() -> None:
    """Record a tree: its digests to tests/unchanged, or its outputs to a folder."""
    parser = argparse.ArgumentParser(description="Record what the commands of a tree write.")
    parser.add_argument("--tree", type=Path, required=True, help="a checkout of the code")
    parser.add_argument("--shared", type=Path, default=HERE.parents[1] / "shared")
    parser.add_argument("--write", action="store_true", help="write digests to tests/unchanged")
    parser.add_argument("--keep", type=Path, help="write the outputs to this folder")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        for name, found in every(chosen.tree, Path(base), chosen.shared).items():
            outputs = found.result()
            if chosen.write:
                text = json.dumps(digests(outputs), indent=1) + "\n"
                (FOLDER / f"{name}.json").write_text(text)
            for step, text in outputs.items() if chosen.keep else ():
                target = chosen.keep / name / step.replace(" ", "-")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
