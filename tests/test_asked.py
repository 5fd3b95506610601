"""Judged queries that the collection does not ask: said, and left out on demand."""

import json
from pathlib import Path

import pytest
from corpora import beir_folder, rearank

RUN = "q1 Q0 d1 1 2 t\nq1 Q0 d2 2 1 t\nq2 Q0 d4 1 2 t\n"
OTHER = "q1 Q0 d2 1 2 t\nq1 Q0 d1 2 1 t\nq2 Q0 d4 1 2 t\n"
MORE = "q3\td1\t1\nq4\td1\t1\n"
NOTE = "2 judged queries are not in the collection's queries (q3, q4)"


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A collection of two queries whose judgements are about four."""
    folder = beir_folder(tmp_path / "pets")
    with (folder / "qrels" / "test.tsv").open("a") as file:
        file.write(MORE)
    (tmp_path / "run.trec").write_text(RUN)
    (tmp_path / "other.trec").write_text(OTHER)
    return tmp_path


def figure(stdout: str) -> str:
    return stdout.splitlines()[1].split("\t")[1]


def test_they_are_told_and_count_as_0(pets: Path) -> None:
    done = rearank("eval", pets / "run.trec", "-d", pets / "pets", "-m", "RR", cache=pets)
    assert figure(done.stdout) == "0.5000"
    assert f"{NOTE} and count as 0; --asked-queries-only leaves them out" in done.stderr, (
        done.stderr
    )


def test_they_can_be_left_out(pets: Path) -> None:
    options = ("-m", "RR", "--asked-queries-only")
    done = rearank("eval", pets / "run.trec", "-d", pets / "pets", *options, cache=pets)
    assert figure(done.stdout) == "1.0000"
    assert f"{NOTE} and were left out (--asked-queries-only)" in done.stderr
    assert "missing" not in done.stderr
    assert "2 judged queries: all count" in done.stderr


def test_json_says_so_too(pets: Path) -> None:
    options = ("-m", "RR", "--asked-queries-only", "-f", "json")
    done = rearank("eval", pets / "run.trec", "-d", pets / "pets", *options, cache=pets)
    found = json.loads(done.stdout)
    assert found["provenance"]["conventions"]["queries"] == "all judged that the collection asks"


def test_judgements_in_a_file_and_queries_of_a_collection(pets: Path) -> None:
    qrels = ("--qrels", pets / "pets" / "qrels" / "test.tsv")
    done = rearank("eval", pets / "run.trec", *qrels, "-d", pets / "pets", "-m", "RR", cache=pets)
    assert NOTE in done.stderr
    done = rearank("eval", pets / "run.trec", *qrels, "--asked-queries-only", cache=pets)
    assert done.returncode == 2
    assert "error: --asked-queries-only: expected a collection, found none" in done.stderr


def test_a_run_that_has_them_says_nothing(pets: Path) -> None:
    (pets / "run.trec").write_text(RUN + "q3 Q0 d1 1 2 t\nq4 Q0 d1 1 2 t\n")
    done = rearank("eval", pets / "run.trec", "-d", pets / "pets", "-m", "RR", cache=pets)
    assert "not in the collection's queries" not in done.stderr


def test_judgements_about_no_query_of_the_collection_are_an_error(pets: Path) -> None:
    qrels = pets / "strange.qrels"
    qrels.write_text("q8 0 d1 1\n")
    options = ("--qrels", qrels, "-d", pets / "pets", "--asked-queries-only")
    done = rearank("eval", pets / "run.trec", *options, cache=pets)
    assert done.returncode == 2
    assert "of 1 judged query none is in the collection's queries" in done.stderr


@pytest.mark.parametrize(
    ("options", "figure", "note"),
    [
        ((), "0.5000", "and count as 0"),
        (("--asked-queries-only",), "1.0000", "and were left out"),
    ],
)
def test_in_a_report_too(pets: Path, options: tuple[str, ...], figure: str, note: str) -> None:
    runs = (pets / "other.trec", pets / "run.trec")
    out = ("-m", "RR", "-o", pets / "r.html")
    done = rearank("report", *runs, "-d", pets / "pets", *options, *out, cache=pets)
    assert done.returncode == 0, done.stderr
    page = (pets / "r.html").read_text("utf-8")
    assert f"<b>{figure}</b>" in page
    assert note in page
    # The curve by depth is of the same queries as the tile.
    assert f"<td>{figure}</td>" in page.split("by depth reranked")[-1].split("</table>")[0]
