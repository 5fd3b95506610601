"""What is said beside the results: named, counted, and with the way out."""

from pathlib import Path

from command import Numbers, rearank, served
from llm_server import serving

from rearank_cli.cli.names import named_outputs
from rearank_cli.cli.terminal import Bar
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.reranking.reranker import method_for


def test_one_query_is_a_query_and_the_summary_names_its_run(tmp_path: Path) -> None:
    Numbers(1, 10).write(tmp_path)
    with serving() as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), "-o", "new.trec")
    assert done.stderr.startswith("new: 1 query, 1 window; ")
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
