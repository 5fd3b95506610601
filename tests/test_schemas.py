"""What the commands write for programs, held against the JSON Schemas that are published for it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import FILES, ROOT, Numbers, rearank, served
from jsonschema import Draft202012Validator, ValidationError
from llm_server import serving

from rearank_cli.records import FLAW_NAMES, Prompt

SCHEMAS = ROOT / "rearank_cli" / "schemas"


def valid(name: str, content: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator(schema).validate(content)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_every_schema_is_one_and_refuses_something_else(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["title"]
    with pytest.raises(ValidationError):
        valid(path.name.removesuffix(".schema.json"), {"no": "such thing"})


def muddled(prompt: Prompt) -> str:
    """Answer with flaws of several kinds."""
    return "<think>[1] is good. [2] less so.</think><answer>[2] > [1] > [2] > [99]</answer>"


@pytest.fixture(scope="module")
def reranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, its trace, a summary and the lines that a program would read."""
    folder = tmp_path_factory.mktemp("reranked")
    Numbers(queries=3, hits=30).write(folder)
    with serving(muddled) as server:
        done = rearank(
            folder,
            *("rerank", "run.trec", *served(server.url), "-o", "new.trec"),
            *("--summary", "summary.json", "--progress", "json"),
        )
    assert done.returncode == 0, done.stderr
    (folder / "stderr").write_text(done.stderr)
    return folder


def test_the_origin_of_a_run(reranked: Path) -> None:
    valid("origin", yaml.safe_load((reranked / "new.meta.yml").read_text()))


def test_lines_of_a_trace(reranked: Path) -> None:
    found = lines((reranked / "new.trace.jsonl").read_text())
    assert len(found) == 7
    for line in found:
        valid("trace", line)
    assert ["provenance" in line for line in found] == [True] + 6 * [False]
    with pytest.raises(ValidationError):
        valid("trace", {**found[1], "ranks_before": [0]})
    with pytest.raises(ValidationError):
        valid("trace", {**found[1], "more": 1})


def test_a_trace_of_a_method_with_several_asks_a_stage(tmp_path: Path) -> None:
    Numbers(queries=1, hits=30).write(tmp_path)
    with serving() as server:
        options = ("--method", "topdown", "--window", "10", "-o", "new.trec")
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), *options)
    assert done.returncode == 0, done.stderr
    found = lines((tmp_path / "new.trace.jsonl").read_text())
    assert any(line.get("place", 0) > 1 for line in found)
    for line in found:
        valid("trace", line)


def test_the_summary(reranked: Path) -> None:
    found = json.loads((reranked / "summary.json").read_text())
    valid("summary", found)
    assert (found["queries"], found["asks"], found["cached"]) == (3, 6, 0)
    assert (found["run"], found["trace"], found["tag"]) == (
        "new.trec",
        "new.trace.jsonl",
        "new",
    )
    assert list(found["flaws"]) == list(FLAW_NAMES)
    assert found["flaws"]["repeated"] == found["flaws"]["unknown"] == 6
    asks = lines((reranked / "new.trace.jsonl").read_text())[1:]
    assert found["prompt_tokens"] == sum(ask["prompt_tokens"] for ask in asks)


def test_every_line_of_progress_is_json(reranked: Path) -> None:
    found = lines((reranked / "stderr").read_text())
    for line in found:
        valid("progress", line)
    events = [line["event"] for line in found]
    assert events[-1] == "done" and "progress" in events
    last = [line for line in found if line["event"] == "progress"][-1]
    assert last["asks"] == last["expected"] == 6


def test_errors_and_warnings_are_json_too(tmp_path: Path) -> None:
    Numbers(queries=1, hits=3).write(tmp_path)
    arguments = ("rerank", "run.trec", *FILES, "--base-url", "http://127.0.0.1:9/v1")
    done = rearank(tmp_path, *arguments, "--model", "m", "--progress", "json")
    assert done.returncode == 1
    found = lines(done.stderr)
    for line in found:
        valid("progress", line)
    assert any(line.get("text", "").startswith("error: no server answers") for line in found)


def test_a_summary_needs_a_file_of_its_own_and_is_not_there_after_a_failure(tmp_path: Path) -> None:
    Numbers(queries=1, hits=3).write(tmp_path)
    dead = ("rerank", "run.trec", *FILES, "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    done = rearank(tmp_path, *dead, "-o", "new.trec", "--summary", "./new.trec")
    assert (done.returncode, "need a file each" in done.stderr) == (2, True)
    done = rearank(tmp_path, *dead, "-o", "new.trec", "--summary", "absent/s.json")
    assert (done.returncode, "no such folder" in done.stderr) == (2, True)
    done = rearank(tmp_path, *dead, "-o", "new.trec", "--summary", "s.json")
    assert (done.returncode, (tmp_path / "s.json").exists()) == (1, False)


@pytest.mark.parametrize(
    "options",
    [
        ("--query", "q1"),
        ("--query", "q1", "--corpus", "corpus.tsv", "--qrels", "qrels.txt"),
        ("--query", "q1", "--window", "2"),
        ("--query", "q1", "--doc", "d003"),
        ("--flawed",),
        ("--summary",),
    ],
    ids=" ".join,
)
def test_what_explain_writes(reranked: Path, options: tuple[str, ...]) -> None:
    done = rearank(reranked, "explain", "new.trace.jsonl", *options, "--json")
    assert done.returncode == 0, done.stderr
    valid("explain", json.loads(done.stdout))


@pytest.mark.parametrize(
    "options",
    [(), ("-m", "R@5"), ("--baseline", "run.trec"), ("--baseline", "run.trec", "--per-query")],
    ids=" ".join,
)
def test_what_eval_writes(reranked: Path, options: tuple[str, ...]) -> None:
    arguments = ("eval", "new.trec", "--qrels", "qrels.txt", "--format", "json")
    done = rearank(reranked, *arguments, *options)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    valid("eval", content)
    assert ("comparisons" in content) == ("--baseline" in options)


def test_what_check_and_doctor_write(reranked: Path) -> None:
    expected = '[[expected]]\nmeasure = "R@5"\nvalue = 0.9\n'
    (reranked / "e.toml").write_text(expected)
    arguments = ("check", "new.trec", "--qrels", "qrels.txt", "--expect", "e.toml", "-f", "json")
    valid("check", json.loads(rearank(reranked, *arguments).stdout))
    done = rearank(reranked, "doctor", "--json", "--base-url", "http://127.0.0.1:9/v1")
    valid("doctor", json.loads(done.stdout))
