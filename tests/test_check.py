"""`rearank check`: expectations of files, recipes and the paper, and what a run makes of them."""

import json
from pathlib import Path

import pytest
from command import rearank

from rearank_cli.errors import RearankError
from rearank_cli.evaluation.expected import Expectation, expectations, select

RUN = "q1 Q0 a 1 3 t\nq1 Q0 b 2 2 t\nq2 Q0 a 1 3 t\nq2 Q0 b 2 2 t\n"
QRELS = "q1 0 a 1\nq2 0 b 1\n"  # RR is 1 and 1/2: .75


def write(folder: Path, expected: str) -> None:
    (folder / "run.trec").write_text(RUN)
    (folder / "qrels").write_text(QRELS)
    (folder / "expected.toml").write_text(expected)


def entry(value: float, more: str = "") -> str:
    return f'[[expected]]\nmeasure = "RR"\nvalue = {value}\n{more}\n'


ARGUMENTS = ("check", "run.trec", "--qrels", "qrels", "--expect", "expected.toml")


@pytest.mark.parametrize(
    ("value", "more", "code", "verdict"),
    [
        (0.75, "", 0, "reached"),
        (0.755, "", 0, "reached"),  # the tolerance is .005
        (0.756, "", 3, "short"),
        (0.80, "tolerance = 0.05", 0, "reached"),
        (0.80, "tolerance = 0.04", 3, "short"),
        (0.70, "", 0, "above"),
        (1, "", 3, "short"),
    ],
)
def test_a_run_that_falls_short_by_more_than_the_tolerance_is_exit_3(
    tmp_path: Path, value: float, more: str, code: int, verdict: str
) -> None:
    write(tmp_path, entry(value, more))
    done = rearank(tmp_path, *ARGUMENTS)
    assert done.returncode == code, done.stderr
    header, line = (text.split("\t") for text in done.stdout.splitlines())
    assert dict(zip(header, line, strict=True)) == {
        "run": "run",
        "collection": "",
        "measure": "RR",
        "expected": f"{value:.4f}",
        "found": "0.7500",
        "difference": f"{0.75 - value:+.4f}",
        "verdict": verdict,
    }


def test_json_has_every_figure_in_full_and_is_written_when_short(tmp_path: Path) -> None:
    write(tmp_path, 'source = "us"\n' + entry(0.9) + entry(0.7, 'source = "them"'))
    done = rearank(tmp_path, *ARGUMENTS, "--format", "json", "-o", "out.json")
    assert done.returncode == 3
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["passed"] is False
    assert [each["verdict"] for each in content["outcomes"]] == ["short", "above"]
    assert [each["source"] for each in content["outcomes"]] == ["us", "them"]
    assert content["outcomes"][0]["difference"] == pytest.approx(-0.15)


def test_the_tolerance_of_the_command_beats_that_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, entry(0.9, "tolerance = 0.001"))
    assert rearank(tmp_path, *ARGUMENTS, "--tolerance", "0.2").returncode == 0
    done = rearank(tmp_path, *ARGUMENTS, "--format", "markdown")
    assert "| run |  | RR | 0.9000 | 0.7500 | -0.1500 | short |" in done.stdout
    assert "- 1 of 1 fall short by more than 0.001" in done.stdout


def test_the_demo_reaches_its_published_figure(tmp_path: Path) -> None:
    assert rearank(tmp_path, "retrieve", "demo", "-o", "bm25.trec").returncode == 0
    figure = 'collection = "demo"\nmeasure = "nDCG@10"\nvalue = 0.6081\ntolerance = 0.0001\n'
    (tmp_path / "e.toml").write_text(f"[expected]\n{figure}")  # as a recipe states it
    for named in ((), ("-d", "demo")):  # the run knows its collection
        done = rearank(tmp_path, "check", "bm25.trec", *named, "--expect", "e.toml")
        assert (done.returncode, done.stdout.split("\t")[-1]) == (0, "reached\n"), done.stderr
        assert ("collection: demo, from bm25.meta.yml" in done.stderr) is (named == ())


def test_without_a_collection_or_judgements_it_says_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, entry(0.75))
    done = rearank(tmp_path, "check", "run.trec", "--expect", "expected.toml")
    assert done.returncode == 2
    assert "run.trec: expected relevance judgements, found none" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dl19", 0.7416),
        ("msmarco-passage/trec-dl-2019/judged", 0.7416),
        ("/data/collections/dl19", 0.7416),
        ("beir/trec-covid", 0.8128),
        ("bright/earth-science", 0.274),
        ("BRIGHT/earth-science", 0.274),
        ("nfcorpus/", 0.352),
    ],
)
def test_the_papers_figures_are_found_by_any_name_of_a_collection(name: str, value: float) -> None:
    (found,) = select(expectations("rearank-7b"), name)
    assert (found.value, found.measure, found.first_stage) == (value, "nDCG@10", "BM25")
    assert "2505.20046" in found.source


def test_another_collection_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(RearankError, match="expected one of the collections dl19, dl20") as caught:
        select(expectations("BM25"), "cacm")
    assert "collection_name" in caught.value.hint


def test_measures_are_read_as_eval_reads_them() -> None:
    (found,) = select([Expectation("P@5", 0.5), Expectation("RR", 1, "x")], "y")
    assert found.measure == "P@5"
    with pytest.raises(RearankError, match="foo: no such measure"):
        select([Expectation("foo", 0.5)], "")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "found none", "[[expected]]"),
        ("[[expected]\n", "e.toml: ", ""),
        ("expected = 3\n", "e.toml: expected [[expected]]", ""),
        ('[[expected]]\nmeasure = "RR"\n', "[[expected]] 1: expected a value, found none", ""),
        ('[[expected]]\nmesure = "RR"\n', "unknown field 'mesure'", "did you mean 'measure'?"),
        ('[[expected]]\nmeasure = "RR"\nvalue = "x"\n', "value to be a number, found 'x'", ""),
        ('[[expected]]\nmeasure = "RR"\nvalue = true\n', "value to be a number, found True", ""),
        ("[[expected]]\nmeasure = 3\nvalue = 0.1\n", "measure to be a text, found 3", ""),
        ("expected = [3]\n", "[[expected]] 1: expected a table, found 3", ""),
    ],
)
def test_files_that_are_no_expectations(tmp_path: Path, text: str, message: str, hint: str) -> None:
    (tmp_path / "e.toml").write_text(text)
    with pytest.raises(RearankError) as caught:
        expectations(str(tmp_path / "e.toml"))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_names_that_are_nothing() -> None:
    with pytest.raises(RearankError) as caught:
        expectations("rearank7b")
    assert "did you mean 'REARANK-7B'?" in caught.value.hint
    with pytest.raises(RearankError):
        expectations("../../pyproject")


def test_usage_errors_are_exit_2(tmp_path: Path) -> None:
    write(tmp_path, entry(0.5))
    done = rearank(tmp_path, "check", "run.trec", "--expect", "expected.toml")
    assert (done.returncode, "expected relevance judgements" in done.stderr) == (2, True)
    done = rearank(tmp_path, *ARGUMENTS[:4], "--expect", "absent.toml")
    assert (done.returncode, "absent.toml: no such file" in done.stderr) == (2, True)
