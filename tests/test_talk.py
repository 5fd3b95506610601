"""What is said beside the results: named, counted, and with the way out."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import Numbers, rearank, served
from llm_server import serving

from rearank_cli.cli import bars
from rearank_cli.cli.drawing import put_rows, put_table
from rearank_cli.cli.names import named_outputs
from rearank_cli.cli.terminal import Bar
from rearank_cli.formats.files import read_lines
from rearank_cli.log import counted
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.reranking.reranker import method_for


def test_one_query_is_a_query_and_the_summary_names_its_run(tmp_path: Path) -> None:
    Numbers(1, 10).write(tmp_path)
    with serving() as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), "-o", "new.trec")
    assert "new: 1 query, 1 window; " in done.stderr
    assert "/1 windows" not in done.stderr  # nothing is told of work that is done in a second


def test_outputs_are_named_in_lines() -> None:
    assert named_outputs(["runs/cacm.w20.trec.gz"]) == "cacm.w20"
    assert named_outputs(["a.trec", "b.trec"]) == "2 runs"
    assert (named_outputs(["-"]), named_outputs([])) == ("", "")
    assert Bar().place == ""


def test_a_window_of_ones_own_has_a_stride_of_half_of_it() -> None:
    recipe = load_recipe("letters")
    method = method_for(recipe, None, {"window": 6})
    assert isinstance(method, Sliding)
    assert (method.window, method.step) == (6, 3)
    kept = method_for(recipe, None, {"window": None})
    assert isinstance(kept, Sliding)
    assert (kept.window, kept.step) == (20, 10)


def test_an_empty_stdin_points_to_the_command_before(tmp_path: Path) -> None:
    done = rearank(tmp_path, "rerank", "-", "-d", "demo")
    assert done.stderr.splitlines()[:2] == [
        "error: <stdin>: expected a run, found no lines",
        "hint: the command in front of the pipe may have failed: see what it said",
    ]


def test_quiet_says_nothing_but_errors(tmp_path: Path) -> None:
    Numbers(2, 10).write(tmp_path)
    with serving() as server:
        asked = ("rerank", "run.trec", *served(server.url), "-o", "new.trec")
        loud = rearank(tmp_path, *asked)
        quiet = rearank(tmp_path, *asked, "-q")
    assert "2 queries, 2 windows" in loud.stderr
    assert (quiet.returncode, quiet.stderr) == (0, "")
    for verb in ("eval absent.trec -d demo", "report absent.trec", "fuse absent.trec b.trec"):
        done = rearank(tmp_path, *verb.split(), "-q")
        assert (done.returncode, done.stderr) == (2, "error: absent.trec: no such file\n"), verb
    done = rearank(tmp_path, "rerank", "absent.trec", "-d", "demo", "--progress", "json", "-q")
    assert [line["level"] for line in map(json.loads, done.stderr.splitlines())] == ["error"]


def test_rows_are_aligned_on_a_terminal_and_a_name_is_never_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads = ("name", "parts", "prebuilt index")
    rows = [
        ("msmarco-passage/trec-dl-hard/fold1", "docs,queries", "msmarco-v1-passage"),
        ("a", "", ""),
    ]
    shown = {}
    for columns in ("80", "50"):
        monkeypatch.setenv("COLUMNS", columns)
        out = Terminal()
        put_table(out, heads, rows)
        shown[columns] = out.getvalue().splitlines()
    assert shown["80"] == [
        "name                                parts         prebuilt index",
        "msmarco-passage/trec-dl-hard/fold1  docs,queries  msmarco-v1-passage",
        "a",
    ]
    assert shown["50"] == [
        "msmarco-passage/trec-dl-hard/fold1",
        "    parts: docs,queries; prebuilt index:",
        "    msmarco-v1-passage",
        "a",
    ]
    out = Terminal()
    put_rows(out, [("windows", 12), ("tokens in", 3400)])
    assert out.getvalue() == "windows    12\ntokens in  3400\n"
    piped = io.StringIO()
    put_rows(piped, [("windows", 12)])
    assert piped.getvalue() == "windows\t12\n"


def test_the_tag_is_the_name_of_the_file_else_recipe_and_model(tmp_path: Path) -> None:
    Numbers(1, 10).write(tmp_path)
    with serving() as server:
        asked = ("rerank", "run.trec", *served(server.url))
        tags = []
        for more in (("-o", "cacm.w20.trec.gz"), (), ("-o", "x.trec", "--tag", "mine")):
            done = rearank(tmp_path, *asked, *more)
            assert done.returncode == 0, done.stderr
            lines = [line for _, line in read_lines(tmp_path / more[1])] if more else []
            tags.append((lines or done.stdout.splitlines())[0].split()[5])
    assert tags == ["cacm.w20", "rearank-scripted", "mine"]


def test_nouns_follow_their_numbers() -> None:
    assert [counted(n, "query") for n in (0, 1, 2)] == ["0 queries", "1 query", "2 queries"]
    assert (counted(1200, "window"), counted(1, "day"), counted(2, "day")) == (
        "1,200 windows",
        "1 day",
        "2 days",
    )


def test_lines_of_long_work_say_what_has_passed_and_what_is_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([100.0, 110.0, 120.0])
    clock = SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr("rearank_cli.cli.bars.time", clock)
    caplog.set_level("INFO", "rearank_cli")
    with bars.draw("indexing", "documents", 400) as advance:
        advance(50)
        advance(50)
    assert caplog.messages == [
        "indexing: 100 documents of 400 documents, 5 documents per second, 20 s, about 60 s left"
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        """It says so."""
        return True
