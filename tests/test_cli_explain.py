import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from windows import LOWER, UPPER, window

from rearank_cli.reranking.trace import AskTrace

TRACE = "t.trace.jsonl"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    lines = [json.dumps({"provenance": {"model": "m"}})]
    (tmp_path / TRACE).write_text(
        "\n".join([*lines, LOWER.to_json(), UPPER.to_json()]) + "\n", "utf-8"
    )
    (tmp_path / "docs.jsonl").write_text(
        '{"_id": "e", "title": "Eels", "text": "An eel\\u001b[31m swims."}\n'
        '{"_id": "a", "title": "", "text": "Ants walk."}\n'
    )
    (tmp_path / "qrels.txt").write_text("q1 0 e 2\nq1 0 a 0\n")
    return tmp_path


def explain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rearank_cli", "explain", TRACE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_query_is_told_from_its_new_order_to_its_windows(files: Path) -> None:
    done = explain(files, "--query", "q1", "--corpus", "docs.jsonl", "--qrels", "qrels.txt")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:2] == ["q1 why?", "5 hits in 2 windows, 1 with flaws"]
    assert "1 ▲ 5 2 e Eels. An eel�[31m swims." in lines
    assert "2 ▼ 1 0 a Ants walk." in lines
    assert any(line.startswith("window 1 of 2: ranks 2-5 100 + 10 tokens, 2.0 s") for line in lines)
    assert "[4 e] fits. [1 b] does not." in lines
    assert "answer [4 e] > [1 b]" in lines
    assert "Passage 2 (e) it is." in lines
    assert "flaws missing [1] [3] [4]" in lines
    assert lines.index("[4 e] fits. [1 b] does not.") < lines.index("Passage 2 (e) it is.")


def test_plain_text_has_no_colours_and_no_trailing_blanks(files: Path) -> None:
    out = explain(files).stdout
    assert "\x1b" not in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_one_window_with_its_own_ranks(files: Path) -> None:
    out = explain(files, "--window", "1").stdout
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "2 ▲ 5 [4] – e" in lines
    assert "window 2" not in out


def test_the_way_of_one_document(files: Path) -> None:
    out = explain(files, "--doc", "e").stdout
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "rank 5 before, 1 after" in lines
    assert "shown as [4], rank 2 ▲ 5" in lines
    assert "“[4 e] fits.”" in lines
    assert "“Passage 2 (e) it is.”" in lines


def test_a_document_that_the_reasoning_passes_over(files: Path) -> None:
    assert "the reasoning does not name it" in explain(files, "--doc", "c").stdout


def test_flawed_windows_are_listed(files: Path) -> None:
    out = explain(files, "--flawed").stdout
    assert [" ".join(line.split()) for line in out.splitlines() if line.strip()][2:] == [
        "q1 2 1-4 missing [1] [3] [4] stop",
        "1 of 2 windows with flaws",
    ]


def test_the_summary_counts(files: Path) -> None:
    lines = [" ".join(line.split()) for line in explain(files, "--summary").stdout.splitlines()]
    assert "with flaws 1 50.0% of the windows" in lines
    assert "missing 1" in lines
    assert "2-5 1 0 4.0 each" in lines


def test_json_holds_the_same(files: Path) -> None:
    query = json.loads(explain(files, "--json", "--qrels", "qrels.txt").stdout)
    assert query["hits"][0] == {
        "rank": 1,
        "old_rank": 5,
        "doc_id": "e",
        "relevance": 2,
        "title": None,
        "text": None,
    }
    assert query["windows"][0]["resolved_reasoning"] == "[4 e] fits. [1 b] does not."
    assert query["windows"][0]["mentions"] == {"b": ["[1] does not."], "e": ["[4] fits."]}
    document = json.loads(explain(files, "--json", "--doc", "e").stdout)
    assert [step["new_rank"] for step in document["windows"]] == [2, 1]
    assert json.loads(explain(files, "--json", "--flawed").stdout)[0]["window"] == 2
    assert json.loads(explain(files, "--json", "--summary").stdout)["flaws"]["missing"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--query", "q7"], "expected a query of this trace, found 'q7'"),
        (["--window", "3"], "--window: expected a number from 1 to 2, found 3"),
        (["--doc", "zz"], "no window showed document 'zz'"),
        (["--flawed", "--summary"], "expected one of --flawed and --summary"),
        (["--summary", "--doc", "e"], "--window and --doc belong to one query"),
    ],
)
def test_wrong_questions_are_answered_with_what_was_expected(
    files: Path, arguments: list[str], message: str
) -> None:
    done = explain(files, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_no_trace_is_named_with_the_line(files: Path) -> None:
    (files / TRACE).write_text('{"provenance": {}}\n{"query_id": "q1"}\n')
    done = explain(files)
    assert done.returncode == 2
    assert f"{TRACE}:2: expected a window of a trace" in done.stderr


def test_a_terminal_gets_a_pager_and_colours(files: Path) -> None:
    (files / "pager").write_text('#!/bin/sh\necho "paged with LESS=$LESS"\ncat\n')
    (files / "pager").chmod(0o755)
    ours, theirs = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k not in ("LESS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "rearank_cli", "explain", TRACE],
        cwd=files,
        stdin=theirs,
        stdout=theirs,
        env={**variables, "PAGER": str(files / "pager"), "TERM": "xterm-256color"},
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk
    except OSError:
        pass  # Linux: the other end of the terminal is closed
    assert process.wait() == 0
    assert b"paged with LESS=FRX" in said
    assert b"\x1b[" in said


def test_a_title_that_ends_a_sentence_gets_no_second_full_stop(files: Path) -> None:
    (files / "docs.jsonl").write_text(
        '{"_id": "e", "title": "A trial in tetraplegia.", "text": "BACKGROUND. x"}\n'
        '{"_id": "a", "title": "Why ants?", "text": "Ants walk."}\n'
        '{"_id": "b", "title": "Bees", "text": "Bees fly."}\n'
    )
    done = explain(files, "--query", "q1", "--corpus", "docs.jsonl")
    lines = " ".join(done.stdout.split())
    assert "A trial in tetraplegia. BACKGROUND. x" in lines
    assert "Why ants? Ants walk." in lines
    assert "Bees. Bees fly." in lines


def test_scores_are_shown_where_an_answer_has_them(tmp_path: Path) -> None:
    """An answer that is read from log-probabilities has no text of its own, but it is one."""
    scored = window(0, "ab", "ba", hits="ab", kind="letters", scores=(-2.5, -0.125))
    part = window(0, "ba", "ba", stage=2, kind="scores", scores=(7.0, None), answer="[1]: 7")
    lines = [json.dumps({"provenance": {}}), scored.to_json(), part.to_json()]
    (tmp_path / TRACE).write_text("\n".join(lines) + "\n", "utf-8")
    out = [" ".join(line.split()) for line in explain(tmp_path).stdout.splitlines()]
    assert "scores [1 a] -2.5, [2 b] -0.125" in out
    assert "scores [1 b] 7, [2 a] none" in out
    assert not any("the old order stays" in line for line in out)
    found = json.loads(explain(tmp_path, "--json").stdout)
    assert [each["scores"] for each in found["windows"]] == [[-2.5, -0.125], [7.0, None]]
    assert [each["kind"] for each in found["windows"]] == ["letters", "scores"]


def likely(rank: int, doc_id: str, *logprobs: float) -> AskTrace:
    """An ask about one passage: how likely the three tokens of `siren drops` are after it."""
    tokens = tuple(zip((" si", "ren", " drops"), logprobs, strict=True))
    mean = sum(logprobs) / len(logprobs)
    hits = "ab" if rank == 1 else ""
    ask = window(rank - 1, doc_id, doc_id, hits=hits, kind="likelihood", scores=(mean,))
    return replace(ask, tokens=tokens, place=rank, ranks_after=(3 - rank,))


def test_the_words_that_a_passage_made_likely(tmp_path: Path) -> None:
    """Tokens are added up to words, and held against the mean over the query's passages."""
    asks = likely(1, "a", -3.0, -1.0, -2.0), likely(2, "b", -1.0, -0.5, -4.5)
    lines = [json.dumps({"provenance": {}}), *(ask.to_json() for ask in asks)]
    (tmp_path / TRACE).write_text("\n".join(lines) + "\n", "utf-8")
    out = [" ".join(line.split()) for line in explain(tmp_path).stdout.splitlines()]
    assert "1 ▲ 2 b -2.000" in out
    assert "1 b siren +1.2" in out
    assert "2 a drops +1.2" in out
    assert not any("window" in line for line in out[3:]), "passages stand in one table"
    alone = [" ".join(line.split()) for line in explain(tmp_path, "--doc", "b").stdout.splitlines()]
    assert any(line.startswith("siren -1.50 +1.25") for line in alone)
    found = json.loads(explain(tmp_path, "--doc", "b", "--json").stdout)
    assert found["words"] == [
        {"text": "siren", "logprob": -1.5, "gain": 1.25},
        {"text": "drops", "logprob": -4.5, "gain": -1.25},
    ]
    assert [hit["score"] for hit in json.loads(explain(tmp_path, "--json").stdout)["hits"]] == [
        -2.0,
        -2.0,
    ]


def test_no_line_breaks_inside_an_identifier(files: Path) -> None:
    said = replace(LOWER, reasoning="x" * 92 + " [2] is better")
    (files / TRACE).write_text("\n".join(['{"provenance": {}}', said.to_json()]) + "\n")
    done = explain(files, "--query", "q1", "--window", "1")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "x" * 92 in lines
    assert f"[2 {LOWER.before[1]}] is better" in lines
