"""`rearank augment` from the outside: files in, examples out, and errors that say what to do."""

import json
from pathlib import Path

import pytest
from corpora import beir_folder, rearank

RUN = """q1 Q0 d4 1 4 bm25
q1 Q0 d1 2 3 bm25
q1 Q0 d3 3 2 bm25
q1 Q0 d2 4 1 bm25
q2 Q0 d1 1 4 bm25
q2 Q0 d3 2 3 bm25
q2 Q0 d4 3 2 bm25
q2 Q0 d2 4 1 bm25
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    beir_folder(tmp_path / "tiny")
    (tmp_path / "run.trec").write_text(RUN, encoding="utf-8")
    return tmp_path


def test_lists_go_to_stdout_and_statistics_to_stderr(files: Path) -> None:
    command: list[str | Path] = ["augment", "-", "-d", files / "tiny", "--window", "3"]
    command += ["--depth", "4"]
    first = rearank(*command, cache=files, stdin=RUN)
    assert first.returncode == 0, first.stderr
    examples = [json.loads(line) for line in first.stdout.splitlines()]
    assert {example["query_id"] for example in examples} == {"q1", "q2"}
    assert all(len(example["grades"]) == 3 for example in examples)
    assert f"lists: 100 drawn, {len(examples)} kept" in first.stderr
    assert rearank(*command, cache=files, stdin=RUN).stdout == first.stdout
    assert rearank(*command, "--seed", "1", cache=files, stdin=RUN).stdout != first.stdout


def test_excluded_queries_stay_out(files: Path) -> None:
    held_out = files / "held-out.qrels"
    held_out.write_text("q1 0 d1 2\n", encoding="utf-8")
    result = rearank(
        *("augment", files / "run.trec", "-d", files / "tiny", "--window", "2-3", "--depth", "4"),
        *("--exclude-queries", held_out, "--sft", "-o", files / "out.jsonl"),
        cache=files,
    )
    assert result.returncode == 0, result.stderr
    assert "1 excluded" in result.stderr
    lines = (files / "out.jsonl").read_text(encoding="utf-8").splitlines()
    examples = [json.loads(line) for line in lines]
    assert {example["query_id"] for example in examples} == {"q2"}
    assert all("<think>" in example["completion"][0]["content"] for example in examples)


def test_lists_in_ideal_order_are_kept_when_asked_for(files: Path) -> None:
    command: list[str | Path] = ["augment", files / "run.trec", "-d", files / "tiny"]
    command += ["--window", "3", "--depth", "4", "--order", "retrieved"]
    plain = rearank(*command, cache=files)
    kept = rearank(*command, "--keep-ideal", cache=files)

    def ideal(output: str) -> list[bool]:
        grades = [json.loads(line)["grades"] for line in output.splitlines()]
        return [each == sorted(each, reverse=True) for each in grades]

    assert any(ideal(kept.stdout)) and not any(ideal(plain.stdout))
    assert "already ideal" in plain.stderr and "already ideal" not in kept.stderr


def test_verl_layout(files: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `train`")
    result = rearank(
        *("augment", files / "run.trec", "-d", files / "tiny", "--window", "3", "--depth", "4"),
        *("--format", "verl", "-o", files / "out.parquet"),
        cache=files,
    )
    assert result.returncode == 0, result.stderr
    rows = parquet.read_table(files / "out.parquet").to_pylist()
    assert set(rows[0]) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
    assert rows[0]["prompt"][0]["role"] == "system"
    assert json.loads(rows[0]["reward_model"]["ground_truth"])["thinks"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "many"], "--window: expected N or MIN-MAX, found 'many'"),
        (["--format", "verl"], "--format verl writes parquet, which needs a file"),
        (["--format", "csv"], "--format: expected one of trl, verl, found csv"),
        (["--order", "best"], "--order: expected one of drawn, retrieved, shuffled, found best"),
        (["--max-prompt-tokens", "9"], "--max-prompt-tokens: expected --model too"),
        (["--depth", "4", "--window", "3", "--min-initial", "1"], "fit for training, found none"),
        (["--exclude-queries", "nowhere.txt"], "nowhere.txt: no such file"),
    ],
)
def test_what_cannot_work_is_said(files: Path, options: list[str], message: str) -> None:
    result = rearank(
        "augment", files / "run.trec", "-d", files / "tiny", *options, cache=files, env={}
    )
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout
