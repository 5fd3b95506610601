"""examples/pipeline/Makefile: two jobs at a time, killed in the middle, and made again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from command import ROOT, Numbers, environment
from llm_server import serving
from test_cli_rerank import wait_for

from rearank_cli.formats.origin import content_digest, read_origin
from rearank_cli.reranking.trace import read_provenance


def test_made_killed_and_made_again(tmp_path: Path) -> None:
    for name, queries in (("one", 4), ("two", 3)):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        Numbers(queries, hits=25).write(folder)
        (folder / "qrels.txt").rename(folder / "qrels.trec")
        (folder / "run.trec").unlink()
        topics = "".join(f"q{n}\twhich passage\n" for n in range(queries))
        (folder / "queries.tsv").write_text(topics)  # words that BM25 finds
    with serving(seconds=0.2) as server:
        command = [
            "make",
            "-j2",
            "-f",
            str(ROOT / "examples" / "pipeline" / "Makefile"),
            f"REARANK={sys.executable} -m rearank_cli",
            f"RERANK=--base-url {server.url} --model scripted --concurrency 1",
        ]
        env = {**environment(tmp_path), "PATH": os.environ["PATH"]}
        first = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(lambda: len(server.finished) >= 4, 150.0)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        server.seconds = 0.0
        again = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=200
        )
        assert again.returncode == 0, again.stderr
        # What was answered before the kill is not asked again; one answer each may be in flight.
        assert len(server.finished) <= len(set(server.finished)) + 2
        nothing = subprocess.run(
            [*command, "-q"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert nothing.returncode == 0, nothing.stdout
    figures = (tmp_path / "runs" / "figures.tsv").read_text().splitlines()
    assert figures[0] == "run\tmeasure\tone\ttwo\tmean"
    assert [line.split("\t")[0] for line in figures[1:]] == ["bm25", "w20", "w10"]
    for name in ("one.w20", "one.w10", "two.w20", "two.w10"):
        run = tmp_path / "runs" / f"{name}.trec"
        found = read_origin(run)
        assert found and found["run"]["sha256"] == content_digest(run)
        assert read_provenance(str(run.with_name(f"{name}.trace.jsonl"))) == found
