"""Finished queries are in a file before the run is: OUT.partial.trec."""

import gzip
import hashlib
from pathlib import Path

import pytest
from command import Numbers, rearank, served, start
from llm_server import serving
from test_cli_rerank import wait_for

from rearank_cli.errors import RearankError
from rearank_cli.formats.trec import read_run
from rearank_cli.reranking.chain import Reranked
from rearank_cli.reranking.journal import Journal, journal_file

ONE = ("--concurrency", "1")


def done(query_id: str, *ranking: str) -> Reranked:
    return Reranked(query_id, ranking, (), {})


def test_queries_are_appended_as_they_are_done_and_ordered_at_the_end(tmp_path: Path) -> None:
    path, target = tmp_path / "x.partial.trec", tmp_path / "x.trec"
    path.write_text("what an earlier command left\n")
    journal = Journal(str(path), "mine")
    assert (journal.partial, len(journal)) == ("", 0)
    journal.add(done("q2", "b", "a"))
    assert path.read_text() == "q2 Q0 b 1 2 mine\nq2 Q0 a 2 1 mine\n"
    journal.add(done("q1", "c"))
    assert path.read_text().endswith("mine\nq1 Q0 c 1 1 mine\n")
    digest = journal.digest(["q1", "q2"])
    journal.finish(["q1", "q2"], str(target))
    assert target.read_text() == "q1 Q0 c 1 1 mine\nq2 Q0 b 1 2 mine\nq2 Q0 a 2 1 mine\n"
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert [each.name for each in tmp_path.iterdir()] == ["x.trec"]


@pytest.mark.parametrize(
    ("run", "journal"),
    [
        ("x.trec", "x.partial.trec"),
        ("runs/x.trec.gz", "runs/x.partial.trec"),
        ("x.run", "x.run.partial.trec"),
        ("-", None),
        ("/dev/null", None),
    ],
)
def test_where_it_is(run: str, journal: str | None) -> None:
    assert journal_file(run) == journal


def test_a_journal_that_cannot_be_written_is_told() -> None:
    with pytest.raises(RearankError, match="/dev/full: cannot be written: no space left"):
        Journal("/dev/full", "t").add(done("q1", "a"))


def test_killed_in_the_middle_it_holds_whole_queries_and_the_next_command_goes_on(
    tmp_path: Path,
) -> None:
    Numbers(queries=6, hits=25).write(tmp_path)
    journal = tmp_path / "new.partial.trec"
    with serving(seconds=0.1) as server:
        command = ("rerank", "run.trec", *served(server.url), *ONE, "-o", "new.trec.gz")
        process = start(tmp_path, *command)
        wait_for(lambda: journal.is_file() and len(read_run(journal).rankings) >= 2, 60.0)
        process.kill()
        _, told = process.communicate()
        assert "queries as they are done: new.partial.trec\n" in told
        found = read_run(journal).rankings
        assert 2 <= len(found) < 6
        assert {len(ranking) for ranking in found.values()} == {25}
        assert not (tmp_path / "new.trec.gz").exists()
        server.seconds = 0.0
        again = rearank(tmp_path, *command)
        assert again.returncode == 0, again.stderr
        assert len(server.finished) <= 12 + 1  # one may have been in flight
    assert not journal.exists()
    lines = gzip.decompress((tmp_path / "new.trec.gz").read_bytes()).decode().splitlines()
    assert [line.split()[0] for line in lines[::25]] == [f"q{number}" for number in range(6)]
    whole = read_run(tmp_path / "new.trec.gz").rankings
    assert {name: whole[name] for name in found} == found


def test_a_run_for_stdout_leaves_no_file(tmp_path: Path) -> None:
    Numbers(queries=2, hits=3).write(tmp_path)
    before = {each.name for each in tmp_path.iterdir()}
    with serving() as server:
        made = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert made.returncode == 0, made.stderr
    assert len(made.stdout.splitlines()) == 6
    assert "as they are done" not in made.stderr
    after = {each.name for each in tmp_path.iterdir() if each.is_file()}
    assert after == {name for name in before if (tmp_path / name).is_file()}


def test_a_journal_that_is_to_be_read_is_not_written_over(tmp_path: Path) -> None:
    Numbers(queries=2, hits=3).write(tmp_path)
    (tmp_path / "run.trec").rename(tmp_path / "x.partial.trec")
    options = served("http://localhost:9")
    made = rearank(tmp_path, "rerank", "x.partial.trec", *options, "-o", "x.trec")
    assert made.returncode == 2
    assert "x.partial.trec: expected a new file for the finished queries of x.trec" in made.stderr
    assert len(read_run(tmp_path / "x.partial.trec").rankings) == 2
