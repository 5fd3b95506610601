"""`rearank rerank` on servers that disappear, and what the person at the terminal hears of it."""

import re
import signal
import time
from pathlib import Path

import pytest
from command import Numbers, rearank, served, start
from llm_server import serving
from test_cli_rerank import EXPECTED_TOP, ranking, wait_for

MANY = Numbers(queries=300, hits=10)
OUTAGE = 20.0  # seconds


def test_a_server_that_disappears_and_comes_back_costs_only_time(tmp_path: Path) -> None:
    MANY.write(tmp_path)
    with serving(seconds=0.2) as server:
        process = start(tmp_path, "rerank", "run.trec", *served(server.url), "-o", "out.trec")
        wait_for(lambda: len(server.finished) >= 30)
        server.away = True
        time.sleep(OUTAGE)
        assert process.poll() is None
        server.away = False
        _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert "Traceback" not in told
    run = (tmp_path / "out.trec").read_text()
    for number in range(300):
        assert ranking(run, f"q{number}") == EXPECTED_TOP
    assert len(set(server.finished)) == 300
    # One line when it is given up and one when it is back, not one for each request.
    lines = told.splitlines()
    given_up = [line for line in lines if "asked less often until it answers" in line]
    assert [line.startswith(server.url) for line in given_up] == [True]
    assert lines.count(f"{server.url}: answers again") == 1


def test_a_server_that_stays_away_ends_the_command_at_the_deadline(tmp_path: Path) -> None:
    MANY.write(tmp_path)
    with serving(seconds=0.2) as server:
        command = ("rerank", "run.trec", *served(server.url), "-o", "out.trec", "--deadline", "15")
        process = start(tmp_path, *command)
        wait_for(lambda: len(server.finished) >= 30)
        server.away = True
        _, told = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "Traceback" not in told
        (error,) = (line for line in told.splitlines() if line.startswith("error: "))
        assert error.startswith("error: query q")
        assert ", ranks 1-10: no answer within 15 s; last try: http://127.0.0.1:" in error
        assert not (tmp_path / "out.trec").exists()
        server.away = False
        finished = len(server.finished)
        assert rearank(tmp_path, *command).returncode == 0
    assert finished >= 30
    assert len(set(server.finished)) == 300


@pytest.mark.parametrize(
    ("name", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)
def test_an_interrupted_command_says_what_is_kept(
    tmp_path: Path, name: signal.Signals, word: str
) -> None:
    Numbers(queries=6, hits=10).write(tmp_path)
    with serving(seconds=0.3) as server:
        options = ("--concurrency", "1", "-o", "out.trec")
        process = start(tmp_path, "rerank", "run.trec", *served(server.url), *options)
        wait_for(lambda: len(server.finished) >= 3)
        process.send_signal(name)
        _, told = process.communicate(timeout=20)
        shown = rearank(tmp_path, "cache", "info").stdout
    kept = int(re.findall(r"(\d+) answers?\b", shown)[0])
    assert kept in (2, 3)
    assert told.splitlines()[-1] == (
        f"{word}: {kept} answers are kept; the same command goes on from there"
    )


def test_an_interrupted_command_that_keeps_nothing_says_so(tmp_path: Path) -> None:
    Numbers(queries=6, hits=10).write(tmp_path)
    with serving(seconds=0.3) as server:
        options = ("--concurrency", "1", "--no-cache")
        process = start(tmp_path, "rerank", "run.trec", *served(server.url), *options)
        wait_for(lambda: len(server.finished) >= 2)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert told.splitlines()[-1] == "interrupted: no answers are kept"


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    Numbers(queries=3, hits=10).write(tmp_path)
    with serving() as server:
        options = ("--base-url", "http://127.0.0.1:9/v1")
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), *options)
    assert done.returncode == 0
    assert "http://127.0.0.1:9/v1: ConnectError" in done.stderr
    assert "asked less often until it answers" in done.stderr


def test_queries_that_ask_the_same_at_the_same_time_are_asked_once(tmp_path: Path) -> None:
    Numbers(queries=8, hits=10).write(tmp_path)
    topics = "".join(f"q{n}\tthe same question\n" for n in range(8))
    (tmp_path / "queries.tsv").write_text(topics)
    with serving(seconds=0.3) as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert done.returncode == 0
    assert len(server.finished) == 1
    assert ranking(done.stdout, "q7") == EXPECTED_TOP
    assert "100 tokens in, 10 out" in done.stderr


def test_all_answers_of_a_server_that_is_away_are_found(tmp_path: Path) -> None:
    Numbers(queries=3, hits=10).write(tmp_path)
    with serving() as server:
        command = ("rerank", "run.trec", *served(server.url))
        first = rearank(tmp_path, *command)
    again = rearank(tmp_path, *command)
    assert again.stdout == first.stdout != ""


def test_a_field_can_be_left_out_of_every_request(tmp_path: Path) -> None:
    Numbers(queries=1, hits=10).write(tmp_path)
    with serving() as server:
        options = ("--server-arg", "temperature=", "--server-arg", "reasoning_effort=low")
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), *options)
        assert done.returncode == 0
    assert "temperature" not in server.bodies[0]
    assert server.bodies[0]["reasoning_effort"] == "low"
