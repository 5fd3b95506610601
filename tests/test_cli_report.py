import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command import rearank
from llm_server import serving
from reasoner import write_demo, write_large
from test_several import SIZES, collections, runs

from rearank_cli.collection import open_collection
from rearank_cli.reranking.trace import AskTrace


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


def test_passages_judged_alone_have_scores_and_shaded_words(tmp_path: Path) -> None:
    """No window is listed; a hit's line holds the query, shaded where the passage tells."""
    lines = ["q01 Q0 law-023 1 2 first", "q01 Q0 phys-013 2 1 first"]
    (tmp_path / "first.trec").write_text("\n".join(lines) + "\n")
    lines = ["q01 Q0 phys-013 1 2 new", "q01 Q0 law-023 2 1 new"]
    (tmp_path / "new.trec").write_text("\n".join(lines) + "\n")
    query = open_collection("demo").queries()["q01"].text
    asks = [
        AskTrace(
            "q01", query, 1, 1, place, (doc,), (doc,), (place,), (3 - place,), kind="likelihood"
        )
        for place, doc in enumerate(("law-023", "phys-013"), 1)
    ]
    hits = ("law-023", "phys-013")
    for number, (ask, logprob) in enumerate(zip(asks, (-4.0, -1.0), strict=True)):
        tokens = ((" <b>siren", logprob), (" drops", -2.0))
        score = (logprob - 2) / 2
        asks[number] = replace(ask, tokens=tokens, scores=(score,), hits=() if number else hits)
    text = "\n".join([json.dumps({"provenance": {}}), *(ask.to_json() for ask in asks)])
    (tmp_path / "new.trace.jsonl").write_text(text + "\n")
    runs = ("first.trec", "new.trec", "--trace", "new.trace.jsonl")
    done = report(tmp_path, *runs, "-d", "demo", "-o", "-")
    assert done.returncode == 0, done.stderr
    assert '<details class="window"' not in done.stdout
    assert "<span class=points>-1.500</span>" in done.stdout
    assert "<p class=words><b class=m2>&lt;b&gt;siren</b> drops</p>" in done.stdout
    assert "<p class=words><b class=l2>&lt;b&gt;siren</b> drops</p>" in done.stdout


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


def test_the_figures_come_first_and_nothing_is_shown_of_nothing(files: Path) -> None:
    """A run that is worse has no gain; one that is like the baseline has no chart."""
    lines = (files / "first-stage.trec").read_text().splitlines()
    rows = [line.split() for line in lines]
    worse = [" ".join([q, z, d, str(99 - int(r)), str(r), "worse"]) for q, z, d, r, *_ in rows]
    (files / "worse.trec").write_text("\n".join(worse) + "\n")
    (files / "alike.trec").write_text("\n".join(lines) + "\n")
    done = report(files, "first-stage.trec", "alike.trec", "worse.trec", "-d", "demo")
    assert done.returncode == 0, done.stderr
    page = done.stdout
    assert page.index("<caption>Figures") < page.index("worse against first-stage, by")
    assert "Where the loss comes from</h2>" in page
    assert "Where the gain comes from" not in page
    assert "alike against first-stage, by query" not in page
    below = re.findall(r'<text[^>]*text-anchor="middle"[^>]*>([^<]*)', page)
    assert "21+" in below and not any("…" in label for label in below)


def test_several_collections_get_a_page_each_and_an_index(tmp_path: Path) -> None:
    collections(tmp_path)
    with serving() as server:
        options = ("--base-url", server.url, "--model", "scripted")
        done = rearank(tmp_path, "rerank", *runs(), *options, "-o", "{stem}.rearank.trec")
    assert done.returncode == 0, done.stderr
    given = [*runs(), *(f"{name}.rearank.trec" for name in SIZES)]
    done = rearank(tmp_path, "report", *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected a file for the index of 3 collections, found stdout" in done.stderr
    done = rearank(tmp_path, "report", *given, "-o", "all.html")
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "all.html").read_text()
    assert re.findall(r'<h3><a href="([^"]*)">', index) == [f"all.{name}.html" for name in SIZES]
    (row,) = re.findall(r'<td class="left ">rearank</td>((?:<td.*?</td>)+)', index)
    assert row.count("1.0000") == 4  # of three collections and their mean
    for name, queries in SIZES.items():
        page = (tmp_path / f"all.{name}.html").read_text()
        assert f"<h1>{name}.rearank against {name}.bm25</h1>" in page
        assert page.count('<details class="window"') == 2 * queries
        assert "Flaws in the answers" not in page
