"""`rearank retrieve`, on real Lucene; each run is a process of its own, as Java wants it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ir_measures
import pytest
from corpora import beir_folder, jsonl, rearank
from ir_measures import nDCG

from rearank_cli.trec import group_qrels, iter_run, read_qrels, read_run


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def irds_home(shared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared files, because ir_datasets writes beside them."""
    home = tmp_path / "irds"
    shutil.copytree(shared / "irds-home", home)
    for path in (home, *home.rglob("*")):
        path.chmod(0o755)
    return home


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return beir_folder(tmp_path / "pets")


def test_the_run_goes_to_stdout_and_the_talk_to_stderr(pets: Path, cache: Path) -> None:
    done = rearank("retrieve", pets, cache=cache)
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:4] + row[5:] for row in rows] == [
        ["q1", "Q0", "d1", "1", "bm25"],
        ["q1", "Q0", "d2", "2", "bm25"],
        ["q2", "Q0", "d4", "1", "bm25"],
        ["q2", "Q0", "d3", "2", "bm25"],
    ]
    assert done.stderr.startswith("2 queries, 4 hits")


def test_a_second_time_the_index_is_there_and_the_run_the_same(pets: Path, tmp_path: Path) -> None:
    first = rearank("retrieve", pets, cache=tmp_path / "cache")
    indexes = list((tmp_path / "cache" / "indexes").iterdir())
    again = rearank("retrieve", pets, "--threads", "1", cache=tmp_path / "cache")
    assert len(indexes) == 1
    assert list((tmp_path / "cache" / "indexes").iterdir()) == indexes
    assert again.stdout == first.stdout


def test_hits_bounds_the_ranking(pets: Path, cache: Path) -> None:
    done = rearank("retrieve", pets, "--hits", "1", cache=cache)
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["d1", "d4"]


def test_a_document_that_comes_twice_leaves_no_index(tmp_path: Path) -> None:
    twice = [{"_id": "d1", "text": "one"}, {"_id": "d1", "text": "two"}]
    corpus = jsonl(tmp_path / "docs.jsonl", twice)
    topics = jsonl(tmp_path / "topics.jsonl", [{"_id": "q", "text": "one"}])
    cache = tmp_path / "cache"
    done = rearank("retrieve", "--corpus", corpus, "--queries", topics, cache=cache)
    assert done.returncode == 2
    assert "expected every doc id once, found 2 documents with 1 ids" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((cache / "indexes").iterdir()) == []


def test_documents_without_text_are_left_out_with_a_warning(tmp_path: Path) -> None:
    docs = [{"_id": "d1", "text": "one"}, {"_id": "d2", "text": "  "}]
    corpus = jsonl(tmp_path / "docs.jsonl", docs)
    topics = jsonl(tmp_path / "topics.jsonl", [{"_id": "q", "text": "one"}])
    done = rearank("retrieve", "--corpus", corpus, "--queries", topics, cache=tmp_path / "cache")
    assert done.returncode == 0
    assert "1 of 2 documents have no text" in done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("name", ["vaswani", "nfcorpus"])
def test_real_collections_give_the_figures_of_anserini(
    shared: Path, cache: Path, tmp_path: Path, name: str
) -> None:
    folder = shared / "collections" / name
    out = tmp_path / "run.trec"
    assert rearank("retrieve", folder, "-o", out, cache=cache).returncode == 0
    qrels = group_qrels(read_qrels(folder / "qrels.trec"))
    ours, theirs = (
        ir_measures.calc_aggregate([nDCG @ 10], qrels, _nested(path))[nDCG @ 10]
        for path in (out, folder / "bm25.trec")
    )
    assert ours == pytest.approx(theirs, abs=0.0005)


def _nested(path: Path) -> dict[str, dict[str, float]]:
    run: dict[str, dict[str, float]] = {}
    for query_id, doc_id, score in iter_run(read_run(path)):
        run.setdefault(query_id, {})[doc_id] = score
    return run


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("vaswani", 0.4368),
        ("beir/nfcorpus/test", 0.3218),
        ("msmarco-passage/trec-dl-2019/judged", 0.4479),
    ],
)
def test_datasets_of_the_catalogue_need_no_network_when_their_files_are_there(
    irds_home: Path, cache: Path, tmp_path: Path, dataset: str, expected: float
) -> None:
    out = tmp_path / "run.trec"
    env = {"IR_DATASETS_HOME": str(irds_home)}
    done = rearank("retrieve", "-d", dataset, "-o", out, cache=cache, env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert len(done.stderr.splitlines()) == 1
    measured = subprocess.run(
        [sys.executable, "-m", "ir_measures", dataset, str(out), "nDCG@10"],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=True,
    )
    assert float(measured.stdout.split()[1]) == pytest.approx(expected, abs=0.0005)
