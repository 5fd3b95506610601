import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import rearank
from reasoner import write_demo, write_large


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_demo(folder)
    return folder


def report(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rearank_cli", "report", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_page_is_written_and_named_with_its_size(files: Path) -> None:
    done = report(
        files,
        *("first-stage.trec", "stand-in.trec", "-d", "demo"),
        *("--trace", "stand-in.trace.jsonl", "-o", "report.html"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("report: report.html (0.")
    html = (files / "report.html").read_text("utf-8")
    assert html.count('<details class="query"') == 24
    assert html.count('<details class="window"') == 72
    assert "<h1>stand-in against first-stage</h1>" in html
    assert "stand-in of the tests" in html
    assert "sha256:" in html


def test_one_run_without_judgements_still_makes_a_page(files: Path) -> None:
    done = report(files, "first-stage.trec", "-o", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<!doctype html>")
    assert 'id="results"' not in done.stdout


def test_every_run_is_read_once_so_that_one_may_come_from_a_pipe(files: Path) -> None:
    text = (files / "first-stage.trec").read_text()
    piped = rearank(files, "report", "-", "stand-in.trec", "-d", "demo", stdin=text)
    assert piped.returncode == 0, piped.stderr
    named = report(files, "first-stage.trec", "stand-in.trec", "-d", "demo")

    def figures(page: str) -> list[str]:
        return re.findall(r"<td[^>]*>(0\.\d+)", page)

    assert figures(piped.stdout) == figures(named.stdout) != []


def test_several_measures_and_the_baseline_by_name(files: Path) -> None:
    done = report(
        files,
        *("stand-in.trec", "--baseline", "first-stage.trec", "-d", "demo"),
        *("-m", "RR@10", "-m", "nDCG@5", "--limit", "3"),
    )
    assert done.returncode == 0, done.stderr
    assert "RR@10: stand-in against first-stage, by query" in done.stdout
    assert '<th scope="col">nDCG@5</th>' in done.stdout
    assert "3 of 24 queries are shown, those that changed most." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.trec"], "nothing.trec: no such file"),
        (["first-stage.trec", "--trace", "-"], "expected files, found -"),
        (["-", "-"], "expected each run once, found it twice"),
        (["first-stage.trec", "-o", "nowhere/r.html"], "no such folder: nowhere"),
        (["first-stage.trec", "-d", "demo", "-m", "nope"], "nope: no such measure"),
        (["first-stage.trec", "--trace", "first-stage.trec"], "expected a window of a trace"),
    ],
)
def test_nothing_is_written_after_an_error(files: Path, arguments: list[str], message: str) -> None:
    done = report(files, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_50_queries_of_100_hits_stay_under_5_mb(tmp_path: Path) -> None:
    old, new, trace, collection = write_large(tmp_path)
    done = report(
        tmp_path, str(old), str(new), "-d", str(collection), "--trace", str(trace), "-o", "r.html"
    )
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "r.html").read_bytes()
    assert html.count(b'<details class="query"') == 50
    assert html.count(b'<details class="window"') == 450
    assert len(html) < 5_000_000
