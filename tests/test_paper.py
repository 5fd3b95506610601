"""The paper's tables: the data, the comparison, and `make paper-dl` on three queries of DL19."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, Numbers, environment
from llm_server import serving

from rearank_cli.evaluation import papertable
from rearank_cli.evaluation.expected import paper_table
from rearank_cli.records import Prompt

QUERIES = 3
HITS = 30


@pytest.mark.parametrize(
    ("table", "rows", "columns", "average"), [("table1", 9, 9, 54.59), ("table2", 8, 12, 17.7)]
)
def test_the_papers_figures_average_to_what_it_says(
    table: str, rows: int, columns: int, average: float
) -> None:
    figures = paper_table(table).rows
    assert len(figures) == rows and len(figures["BM25"]) == columns
    values = [
        float(value) for name, value in figures["REARANK-7B"].items() if not name.startswith("dl")
    ]
    assert sum(values) / len(values) == pytest.approx(average, abs=0.06)


def test_only_our_collections_are_averaged(tmp_path: Path) -> None:
    (tmp_path / "dl.tsv").write_text(
        "run\tmeasure\tnews\tdl20\tmean\nbm25\tnDCG@10\t0.4\t0.48\t0.44\n"
        "bm25\tR@100\t1\t1\t1\nrearank\tnDCG@10\t0.5\t0.7\t0.6\n"
    )
    figures = papertable.ours(tmp_path / "dl.tsv")
    text = list(papertable.lines(paper_table("table1").rows, figures))
    assert text[0] == "| nDCG@10 (%) | dl20 | news | average |"
    assert "| BM25 | 47.96 | 39.52 | 43.74 |" in text
    assert "| **ours: rearank** | 70.00 | 50.00 | 60.00 |" in text
    assert text[-1] == "| - REARANK-7B | +0.00 | -1.88 |  |"


@pytest.mark.parametrize(
    ("asked", "said", "own"),
    [
        ("rearank", "Ours of dl19: asked with the prompt rearank.", True),
        ("qwen3", "Ours of dl19: asked with the prompt qwen3.", True),
        ("original.toml", "Ours of dl19: asked with original.toml.", False),
        ("le723z/Rearank-7B", "Ours of dl19: asked with le723z/Rearank-7B.", False),
        ("", "Ours of dl19: asked with a prompt that no trace tells.", False),
    ],
)
def test_whose_wording_was_used_stands_below_the_figures(
    tmp_path: Path, asked: str, said: str, own: bool
) -> None:
    figures = tmp_path / "dl.tsv"
    figures.write_text("run\tnDCG@10\ndl19.bm25\t0.5\ndl19.rearank\t0.7\n", encoding="utf-8")
    if asked:
        name = "prompt" if asked == "qwen3" else "recipe"  # as traces called it, and call it
        first = json.dumps({"provenance": {name: asked}})
        (tmp_path / "dl19.rearank.trace.jsonl").write_text(first + "\n{}\n", encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "rearank_cli.evaluation.papertable", "table1", str(figures)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    text = result.stdout.partition("| - REARANK-7B")[2]
    assert said in text.splitlines()
    assert ("not the one that REARANK-7B was trained on" in text) is own


def test_one_command_each_is_given_what_is_still_to_be_made(tmp_path: Path) -> None:
    """`make -n` of three collections: one is there, one was retrieved again, one is not there."""
    for name, seconds in (("a.bm25", 1), ("a.rearank", 2), ("b.rearank", 3), ("b.bm25", 4)):
        (tmp_path / f"{name}.trec").touch()
        os.utime(tmp_path / f"{name}.trec", (seconds, seconds))
    given = (f"PAPER_RUNS={tmp_path}", "PAPER_BRIGHT=a b c", "REARANK=rearank", "DATASET_b=data/b")
    done = make(tmp_path, "-n", "paper-bright", *given)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("rearank ")]
    at = str(tmp_path)
    assert [" ".join(line.split()) for line in lines[:2]] == [
        f"rearank retrieve -d c=bright/c -o '{at}/{{collection}}.bm25.trec'",
        f"rearank rerank {at}/b.bm25.trec {at}/c.bm25.trec -o '{at}/{{stem}}.rearank.trec'",
    ]
    assert [line.split()[1] for line in lines[2:]] == ["eval", "check"]
    done = make(tmp_path, "-n", "paper-bright", *given[:2], "CANDIDATES_c=runs/c.trec")
    assert f"-d c=bright/c --run-of runs/c.trec --hits 1000 -o {at}/c.bm25.trec" in done.stdout


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-f", "paper.mk", *arguments],
        cwd=ROOT,
        env={**environment(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_paper_dl_is_built_once_and_printed(tmp_path: Path, shared: Path) -> None:
    run = (shared / "runs" / "dl19.bm25.trec").read_text("utf-8").splitlines(keepends=True)
    by_query: dict[str, list[str]] = {}
    for line in run:
        by_query.setdefault(line.split()[0], []).append(line)
    candidates = tmp_path / "candidates.trec"
    kept = list(by_query.values())[:QUERIES]
    candidates.write_text("".join(line for each in kept for line in each[:HITS]), encoding="utf-8")
    second = tmp_path / "second"
    second.mkdir()
    Numbers(QUERIES, HITS).write(second)
    (second / "qrels.txt").rename(second / "qrels.trec")
    with serving(backwards) as server:
        arguments = (
            "paper-dl",
            "PAPER_DL=dl19 dl20",
            f"PAPER_RUNS={tmp_path / 'runs'}",
            f"REARANK={sys.executable} -m rearank_cli",
            f"PYTHON={sys.executable}",
            f"CANDIDATES_dl19={candidates}",
            f"DATASET_dl19={shared / 'collections' / 'dl19'}",
            f"CANDIDATES_dl20={second / 'run.trec'}",
            f"DATASET_dl20={second}",
            f"PAPER_RERANK=--base-url {server.url} --model scripted",
            "PAPER_EVAL=--judged-queries-only",
        )
        first = make(tmp_path, *arguments)
        assert first.returncode == 0, first.stderr
        assert "| REARANK-7B | 74.16 | 70.00 | 72.08 |" in first.stdout
        assert "reranking " not in first.stderr and first.stdout.count(" rerank ") == 1
        short = next(
            line for line in first.stdout.splitlines() if line.startswith("dl19.rearank\t")
        )
        assert short.split("\t")[1:4] == ["dl19", "nDCG@10", "0.7416"]
        assert short.endswith("short")
        strict = make(tmp_path, *arguments, "PAPER_STRICT=1")
        assert strict.returncode == 2 and "Error 3" in strict.stderr
        assert "| **ours: bm25** | " in first.stdout
        assert "| **ours: rearank** | " in first.stdout
        assert "not the one that REARANK-7B was trained on" in first.stdout
        asked = len(server.finished)
        assert asked == 2 * QUERIES * 2  # 30 hits are two windows
        figures = (tmp_path / "runs" / "dl.tsv").read_text("utf-8")
        (tmp_path / "runs" / "dl.tsv").unlink()
        again = make(tmp_path, *arguments)
        assert again.returncode == 0, again.stderr
        assert len(server.finished) == asked
        assert "retrieve" not in again.stdout and " rerank " not in again.stdout
        assert (tmp_path / "runs" / "dl.tsv").read_text("utf-8") == figures
        assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
        (tmp_path / "runs" / "dl20.rearank.trec").unlink()
        third = make(tmp_path, *arguments)
        assert " rerank " in third.stdout and "dl19.bm25.trec" not in next(
            line for line in third.stdout.splitlines() if " rerank " in line
        )
        assert len(server.finished) == asked  # from the cache


def backwards(prompt: Prompt) -> str:
    """Answer with the order shown, turned around."""
    count = sum(message.content.startswith("[") for message in prompt)
    order = " > ".join(f"[{number}]" for number in range(count, 0, -1))
    return f"<think>turned around</think><answer>{order}</answer>"
