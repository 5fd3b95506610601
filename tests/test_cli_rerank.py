import json
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from command import FILES, Numbers, rearank, served, start
from llm_server import LlmServer, serving
from scripted import by_number

from rearank_cli.engines.store import Store
from rearank_cli.formats.trec import read_run
from rearank_cli.records import Prompt
from rearank_cli.report.story import load_trace
from rearank_cli.reranking.trace import read_provenance, read_trace

SMALL = Numbers(queries=3, hits=25)
EXPECTED_TOP = [f"d{n:03}" for n in range(10)]


def ranking(run: str, query: str) -> list[str]:
    return [line.split()[2] for line in run.splitlines() if line.split()[0] == query]


def test_the_run_goes_to_stdout_and_nothing_else_does(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving() as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert done.returncode == 0
    assert [len(line.split()) for line in done.stdout.splitlines()] == [6] * 75
    assert done.stdout.splitlines()[0] == "q0 Q0 d000 1 25 rearank-scripted"
    for query in ("q0", "q1", "q2"):
        assert ranking(done.stdout, query)[:10] == EXPECTED_TOP
    assert "3 queries, 6 windows; windows with flaws: none; 600 tokens in, 60 out" in done.stderr
    assert len(server.finished) == 6


def test_from_stdin_to_a_file_with_the_trace_beside_it(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    run = (tmp_path / "run.trec").read_text()
    with serving() as server:
        done = rearank(tmp_path, "rerank", "-", *served(server.url), "-o", "new.trec", stdin=run)
    assert (done.returncode, done.stdout) == (0, "")
    assert ranking((tmp_path / "new.trec").read_text(), "q1")[:10] == EXPECTED_TOP
    traces = list(read_trace(str(tmp_path / "new.trace.jsonl")))
    assert [(trace.query_id, trace.ranks) for trace in traces] == [
        (query, ranks) for query in ("q0", "q1", "q2") for ranks in ("6-25", "1-20")
    ]
    assert traces[0].reasoning == "by number"
    about = read_provenance(str(tmp_path / "new.trace.jsonl"))
    assert (about["model"], about["recipe"]) == ("scripted", "rearank")
    assert about["settings"]["window"] == 20


def test_the_options_for_windows_reach_the_model(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    options = "--depth 6 --window 4 --stride 2 --passes 2 --tag mine --concurrency 2".split()
    with serving() as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), *options)
    assert len(server.finished) == 3 * 2 * 2
    assert ranking(done.stdout, "q0")[:6] == [f"d{n:03}" for n in range(19, 25)]
    assert ranking(done.stdout, "q0")[6:] == [f"d{n:03}" for n in range(18, -1, -1)]
    assert done.stdout.split()[5] == "mine"


def test_shards_put_together_are_the_whole(tmp_path: Path) -> None:
    Numbers(queries=7, hits=5).write(tmp_path)
    with serving() as server:
        whole = rearank(tmp_path, "rerank", "run.trec", *served(server.url)).stdout
        parts = [
            rearank(tmp_path, "rerank", "run.trec", *served(server.url), "--shard", f"{n}/3").stdout
            for n in (1, 2, 3)
        ]
    assert "".join(parts) == whole
    assert [len(part.splitlines()) for part in parts] == [10, 10, 15]


def test_a_second_run_asks_nothing_and_writes_the_same(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving() as server:
        command = ("rerank", "run.trec", *served(server.url))
        first = rearank(tmp_path, *command)
        again = rearank(tmp_path, *command)
        assert again.stdout == first.stdout
        assert len(server.finished) == 6
        assert "6 windows (6 from the cache)" in again.stderr
        rearank(tmp_path, *command, "--no-cache")
        assert len(server.finished) == 12


def test_a_pipe_that_closes_early_ends_quietly(tmp_path: Path) -> None:
    Numbers(queries=300, hits=20).write(tmp_path)
    with serving() as server:
        process = start(tmp_path, "rerank", "run.trec", *served(server.url))
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith("q0 Q0 d000 1")
        process.stdout.close()
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()
        process.stderr.close()


def test_several_servers_share_the_work_and_a_dead_one_does_no_harm(tmp_path: Path) -> None:
    Numbers(queries=20, hits=10).write(tmp_path)
    with serving(seconds=0.05) as one, serving(seconds=0.05) as two:
        options = ("--base-url", two.url, "--base-url", "http://127.0.0.1:9/v1")
        done = rearank(tmp_path, "rerank", "run.trec", *served(one.url), *options)
    assert done.returncode == 0
    assert ranking(done.stdout, "q7") == EXPECTED_TOP
    assert len(one.finished) + len(two.finished) == 20
    assert min(len(one.finished), len(two.finished)) >= 5


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_says_so_and_loses_nothing(
    tmp_path: Path, name: signal.Signals
) -> None:
    SMALL.write(tmp_path)
    with serving(seconds=0.3) as server:
        command = (
            "rerank",
            "run.trec",
            *served(server.url),
            "--concurrency",
            "1",
            "-o",
            "out.trec",
        )
        process = start(tmp_path, *command)
        wait_for(lambda: len(server.finished) >= 2)
        process.send_signal(name)
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == (130 if name == signal.SIGINT else 143)
        assert "Traceback" not in stderr
        assert not (tmp_path / "out.trec").exists()
        assert leftovers(tmp_path) == []
        rearank(tmp_path, *command)
    assert len(set(server.finished)) == 6
    assert len(server.finished) <= 7


def test_a_command_killed_twenty_times_ends_as_if_it_never_was(tmp_path: Path) -> None:
    """kill -9 at random moments: no finished call is repeated, and the run is the same."""
    scenario = Numbers(queries=20, hits=40)
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    for folder in (calm, wild):
        folder.mkdir()
        scenario.write(folder)
    moments = random.Random(1)
    with serving(seconds=0.1) as server:
        options = ("-o", "out.trec", "--concurrency", "3")
        command = ("rerank", "run.trec", *served(server.url), *options)
        assert rearank(calm, *command).returncode == 0
        server.finished.clear()
        for _ in range(20):
            process, before = start(wild, *command), len(server.finished)
            wait_for(partial(exceeds, server, before))
            time.sleep(moments.random() * 0.15)
            process.kill()
            process.communicate()
            time.sleep(0.15)  # calls that the server had begun end there
        assert not (wild / "out.trec").exists()
        lost = len(server.finished) - sum(Store(completions(wild)).info().models.values())
        assert rearank(wild, *command).returncode == 0
    assert (wild / "out.trec").read_bytes() == (calm / "out.trec").read_bytes()
    # Only calls that were in flight at a kill, 3 at most, are made again.
    assert lost <= 20 * 3
    assert len(server.finished) == 60 + lost
    assert len(set(server.finished)) == 60


def exceeds(server: LlmServer, count: int) -> bool:
    return len(server.finished) > count


def completions(folder: Path) -> Path:
    return folder / "cache" / "completions.sqlite"


def test_two_commands_share_a_cache_without_harm(tmp_path: Path) -> None:
    Numbers(queries=10, hits=30).write(tmp_path)
    with serving(seconds=0.02) as server:
        command = ("rerank", "run.trec", *served(server.url))
        pair = [start(tmp_path, *command) for _ in range(2)]
        outputs = [process.communicate(timeout=60) for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert outputs[0][0] == outputs[1][0]


CHAOS = ("429", "500", "503", "reset", "truncate", "garbage", "hang")


@pytest.mark.parametrize("seed", [0, 1])
def test_chaos_ends_complete_and_right(tmp_path: Path, seed: int) -> None:
    Numbers(queries=12, hits=30).write(tmp_path)
    with serving(troubles=CHAOS) as server:
        server.random.seed(seed)
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), "--timeout", "1")
    assert done.returncode == 0, done.stderr
    assert server.refused >= 8
    for query in range(12):
        assert ranking(done.stdout, f"q{query}")[:10] == EXPECTED_TOP
    assert "windows with flaws: none" in done.stderr


def test_chaos_without_end_is_a_failure_that_keeps_what_was_finished(tmp_path: Path) -> None:
    Numbers(queries=6, hits=30).write(tmp_path)

    def second_windows_fail(prompt: Prompt) -> str:
        text = by_number(prompt)
        if "passage 029" not in prompt[3].content:  # the bottom window of the run starts lower
            return text
        raise ConnectionError("gone")

    with serving(second_windows_fail) as server:
        command = ("rerank", "run.trec", *served(server.url), "-o", "out.trec", "--deadline", "2")
        done = rearank(tmp_path, *command)
        finished = len(server.finished)
        assert done.returncode == 1
        assert "error: query q" in done.stderr
        assert ", ranks 1-20: no answer within 2 s" in done.stderr
        assert not (tmp_path / "out.trec").exists()
        server.script = by_number
        assert rearank(tmp_path, *command).returncode == 0
    assert finished == 6
    assert len(server.finished) == 12


def test_an_error_text_is_never_taken_for_an_answer(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving(troubles=["400"], share=1.0) as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert (done.returncode, done.stdout) == (1, "")
    assert "400: Limit 10, used 7" in done.stderr


def test_answers_without_an_order_are_counted_and_keep_the_old_order(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving(lambda prompt: "<think>[2] is about 3 things") as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert done.returncode == 0
    assert "0 truncated, 6 no answer" in done.stderr
    assert ranking(done.stdout, "q0") == [f"d{n:03}" for n in range(24, -1, -1)]


def test_trace_lines_are_json_with_the_windows_of_a_query_together(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving() as server:
        rearank(tmp_path, "rerank", "run.trec", *served(server.url), "--trace", "t.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert "provenance" in lines[0]
    assert [line["query_id"] for line in lines[1:]] == ["q0", "q0", "q1", "q1", "q2", "q2"]


def test_no_engine_is_ever_chosen_by_accident(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    done = rearank(tmp_path, "rerank", "run.trec", *FILES, "--model", "scripted")
    assert done.returncode == 2
    assert done.stdout == ""


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.005)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_the_trace_of_a_killed_command_holds_whole_windows(tmp_path: Path) -> None:
    Numbers(queries=4, hits=40).write(tmp_path)
    with serving(seconds=0.1) as server:
        options = ("--concurrency", "2", "-o", "out.trec")
        process = start(tmp_path, "rerank", "run.trec", *served(server.url), *options)
        wait_for(partial(exceeds, server, 5))
        process.kill()
        process.communicate()
    traces = list(read_trace(str(tmp_path / "out.trace.jsonl.partial")))
    assert 3 <= len(traces) <= 7
    assert not (tmp_path / "out.trec").exists()


def test_a_failed_command_leaves_run_and_trace_as_they_were(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    (tmp_path / "new.trec").write_text("the earlier run\n")
    (tmp_path / "new.trace.jsonl").write_text("the earlier trace\n")
    answered = iter([True] * 3)

    def script(prompt: Prompt) -> str:
        if not next(answered, False):
            raise ConnectionError("gone")
        return by_number(prompt)

    with serving(script) as server:
        options = ("--deadline", "0.5", "--concurrency", "1", "-o", "new.trec")
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), *options)
    assert done.returncode == 1
    assert (tmp_path / "new.trec").read_text() == "the earlier run\n"
    assert (tmp_path / "new.trace.jsonl").read_text() == "the earlier trace\n"
    partial = tmp_path / "new.trace.jsonl.partial"
    assert f"what was done is in new.partial.trec and {partial.name}" in done.stderr
    assert list(read_run(tmp_path / "new.partial.trec").rankings) == ["q0"]
    assert len(list(read_trace(str(partial)))) == 3


def test_topdown_shows_every_passage_where_it_really_ended(tmp_path: Path) -> None:
    """The last passage of the list wins; every window that shows it says its true rank."""
    Numbers(queries=1, hits=60).write(tmp_path)
    with serving() as server:
        options = ("--method", "topdown", "-o", "new.trec")
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), *options)
    assert done.returncode == 0
    run = tuple(line.split()[2] for line in (tmp_path / "new.trec").read_text().splitlines())
    story = load_trace(str(tmp_path / "new.trace.jsonl")).story("q0")
    assert story.new == run
    for order, stage in zip(story.orders[1:], story.stages, strict=True):
        for trace in stage:
            places = zip(trace.before, trace.ranks_after, strict=True)
            assert all(order[rank - 1] == doc_id for doc_id, rank in places)
    told = rearank(tmp_path, "explain", "new.trace.jsonl", "--doc", "d000").stdout
    assert "rank 60 before, 1 after" in told


def test_the_summary_counts_what_was_tried_again(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving(troubles=["503"], share=0.3) as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert done.returncode == 0
    assert server.refused > 0
    assert f"tried again: {server.refused} × 503" in done.stderr


def test_a_query_with_a_single_hit_asks_nothing(tmp_path: Path) -> None:
    Numbers(queries=2, hits=1).write(tmp_path)
    with serving() as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert (done.returncode, server.finished) == (0, [])
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["d000", "d000"]
