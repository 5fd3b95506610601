"""Whole commands side by side: `python -m benchmarks.peers.run RANK_LLM_PYTHON [QUERIES]`.

One vLLM server (the CPU build, a tiny Qwen2 with random weights) answers `rearank rerank` and
rank_llm, in turns. Both show the same windows in the same words (rank_llm's own template, imported)
and get answers of the same lengths (`forced.py`). Given are medians.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from benchmarks.peers.forced import Forced, Seen
from benchmarks.rerank.real import PASSAGE_CHARS, SHORTER, tiny_model
from benchmarks.rerank.schedules import HITS, WINDOWS, work
from benchmarks.vllm_server import vllm_server

ROUNDS = 3
QUERIES = 43
TEMPLATE = "rank_zephyr_template.yaml"
BATCHES = (32, 256)
CLIENT = Path(__file__).with_name("rank_llm_client.py")
ENV = {**os.environ, "OPENAI_API_KEY": "none", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Took:
    """Of one command: seconds from start to end, CPU seconds, when the first query was on disk."""

    seconds: float
    cpu: float
    first: float
    asking: float
    most: int


def write_work(folder: Path, queries: int) -> None:
    """Write a collection and a run over it, with short passages."""
    items = work(queries)
    passages = items[0].passages
    with (folder / "corpus.jsonl").open("w") as corpus:
        for name, passage in passages.items():
            entry = {"_id": name, "title": "", "text": passage.text[-PASSAGE_CHARS:]}
            corpus.write(json.dumps(entry) + "\n")
    with (folder / "queries.jsonl").open("w") as topics, (folder / "run.trec").open("w") as run:
        for item in items:
            name = item.query.query_id
            topics.write(json.dumps({"_id": name, "text": item.query.text}) + "\n")
            for rank, doc in enumerate(item.ranking, 1):
                run.write(f"{name} Q0 {doc} {rank} {HITS - rank} first\n")


@contextmanager
def between(forced: Forced) -> Iterator[str]:
    """Run the server that sets lengths in a thread; yield its address as clients want it."""
    server = uvicorn.Server(uvicorn.Config(forced.app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join()


def measured(command: Sequence[str], out: Path, forced: Forced) -> Took:
    """Run a command that writes its run into the folder `out`; say what it took."""
    forced.seen = Seen()
    begun = time.perf_counter()
    with (out / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=ENV)
    first = 0.0
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        first = first or (time.perf_counter() - begun if _has_query(out) else 0.0)
        time.sleep(0.02)
    seconds = time.perf_counter() - begun
    if ended[1]:
        sys.exit(f"{command[0]} failed:\n{(out / 'log').read_text()[-3000:]}")
    cpu = ended[2].ru_utime + ended[2].ru_stime
    seen = forced.seen
    return Took(seconds, cpu, first or seconds, seen.ended - seen.begun, seen.most)


def _has_query(out: Path) -> bool:
    """Tell whether a whole query's ranking is in a file."""
    return any(path.read_bytes().count(b"\n") >= HITS for path in out.glob("*.trec"))


def commands(python: str, model: Path, url: str) -> dict[str, list[str]]:
    """Return each client's command up to the folder that it writes into."""
    folder = model.parent
    asked = (
        "from importlib.resources import files; print(files('rank_llm.rerank.prompt_templates'))"
    )
    # Other words on stdout come before.
    told = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    template = Path(told.stdout.split()[-1]) / TEMPLATE
    recipe = folder / "peer.toml"
    rearank = [sys.executable, "-m", "rearank_cli"]
    subprocess.run([*rearank, "recipe", "import", str(template), "-o", str(recipe)], check=True)
    ours = [*rearank, "rerank", str(folder / "run.trec"), "-d", str(folder), "--no-cache"]
    ours += ["--base-url", url, "--model", str(model), "--recipe", str(recipe), "-o"]
    theirs = [python, str(CLIENT), str(model), url]
    return {"rearank": ours} | {
        f"rank_llm, --batch-size {batch}": [*theirs, str(batch), str(folder)] for batch in BATCHES
    }


def compare(python: str, queries: int) -> dict[str, list[Took]]:
    """Run every client in turns, each turn in another order; the first is not counted."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_work(folder, queries)
        model = tiny_model(folder / "model")
        with vllm_server(model, "--no-enable-prefix-caching") as behind:
            forced = Forced(behind, SHORTER)
            with between(forced) as url:
                clients = commands(python, model, url)
                found: dict[str, list[Took]] = {name: [] for name in clients}
                names = list(clients)
                for turn in range(ROUNDS + 1):
                    for name in names[turn:] + names[:turn]:
                        out = folder / f"{names.index(name)}.{turn}"
                        out.mkdir()
                        took = measured([*clients[name], str(out / "out.trec")], out, forced)
                        assert forced.seen.requests == queries * WINDOWS, forced.seen.requests
                        found[name].append(took)
    return {name: took[1:] for name, took in found.items()}


def main() -> None:
    """Compare and print a table."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    queries = int(sys.argv[2]) if len(sys.argv) > 2 else QUERIES
    found = compare(sys.argv[1], queries)
    print(f"{queries} queries x {HITS} hits, medians of {ROUNDS}\n")
    print(
        "| client | seconds | first request to last answer | most in flight | CPU seconds |", end=""
    )
    print(" first query on disk |\n| :-- | --: | --: | --: | --: | --: |")
    for name, took in found.items():
        figures = [
            statistics.median(getattr(each, field) for each in took)
            for field in ("seconds", "asking", "most", "cpu", "first")
        ]
        cells = " | ".join(f"{figure:.1f}" for figure in figures)
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
