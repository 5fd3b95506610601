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

from rearank_cli.formats.trec import read_qrels, read_run


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
    assert done.stderr.splitlines()[-1].startswith("2 queries, 4 hits")
    done = rearank("retrieve", pets, "-o", cache.parent / "pets.bm25.trec", cache=cache)
    assert done.stderr.splitlines()[-1].startswith("pets.bm25: 2 queries, 4 hits")


def test_a_second_time_the_index_is_there_and_the_run_the_same(pets: Path, tmp_path: Path) -> None:
    first = rearank("retrieve", pets, cache=tmp_path / "cache")
    made = sorted((tmp_path / "cache" / "indexes").glob("[!.]*"))
    again = rearank("retrieve", pets, "--threads", "1", cache=tmp_path / "cache")
    assert len(made) == 1
    assert sorted((tmp_path / "cache" / "indexes").glob("[!.]*")) == made
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
    assert f"error: {corpus}:2: doc id d1 is there twice (first at line 1)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in (cache / "indexes").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("docs.tsv", "id\ttext\n\na\tone\nb\ttwo\n\nb\tthree\n", (4, 6)),
        ("docs.sgml", "<DOC>\n<DOCNO>b</DOCNO>\none\n</DOC>\n" * 2, (4, 8)),
    ],
)
def test_a_repeated_document_is_named_with_both_places(
    tmp_path: Path, name: str, text: str, lines: tuple[int, int]
) -> None:
    (tmp_path / name).write_text(text)
    done = rearank("index", "--corpus", tmp_path / name, cache=tmp_path / "cache")
    place = f"{tmp_path / name}:{lines[1]}: doc id b is there twice (first at line {lines[0]})"
    assert place in done.stderr
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / f"corpus{Path(name).suffix}").write_text(text)
    done = rearank("index", folder, cache=tmp_path / "cache")
    assert f"corpus{Path(name).suffix}:{lines[1]}: doc id b" in done.stderr


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
    qrels = list(read_qrels(folder / "qrels.trec"))
    ours, theirs = (
        ir_measures.calc_aggregate([nDCG @ 10], qrels, _nested(path))[nDCG @ 10]
        for path in (out, folder / "bm25.trec")
    )
    assert ours == pytest.approx(theirs, abs=0.0005)
    run, reference = read_run(out), read_run(folder / "bm25.trec")
    assert (run.rankings, run.scores) == (reference.rankings, reference.scores)


def _nested(path: Path) -> dict[str, dict[str, float]]:
    run = read_run(path)
    return {
        query_id: dict(zip(ranking, run.scores[query_id], strict=True))
        for query_id, ranking in run.rankings.items()
    }


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
    assert not [line for line in done.stderr.splitlines() if "INFO" in line or "%|" in line]
    assert ("--index beir-v1.0.0-nfcorpus.flat" in done.stderr) == ("nfcorpus" in dataset)
    measured = subprocess.run(
        [sys.executable, "-m", "ir_measures", dataset, str(out), "nDCG@10"],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=True,
    )
    assert float(measured.stdout.split()[1]) == pytest.approx(expected, abs=0.0005)


def found(stdout: str) -> dict[str, list[str]]:
    run: dict[str, list[str]] = {}
    for line in stdout.splitlines():
        query_id, _, doc_id, *_ = line.split()
        run.setdefault(query_id, []).append(doc_id)
    return run


def test_the_document_of_the_query_itself_can_be_excluded(tmp_path: Path, cache: Path) -> None:
    topics = jsonl(tmp_path / "topics.jsonl", [{"_id": "d2", "text": "dog cat"}])
    pets = beir_folder(tmp_path / "pets")
    arguments = ("retrieve", pets, "--queries", topics, "--hits", "1")
    assert found(rearank(*arguments, cache=cache).stdout) == {"d2": ["d2"]}
    assert found(rearank(*arguments, "--exclude-self", cache=cache).stdout) == {"d2": ["d1"]}


def test_listed_documents_are_excluded_for_their_query(
    pets: Path, tmp_path: Path, cache: Path
) -> None:
    unwanted = tmp_path / "unwanted.tsv"
    unwanted.write_text("q1\td1\n\nq9 d2\n", encoding="utf-8")
    done = rearank("retrieve", pets, "--exclude", unwanted, cache=cache)
    assert found(done.stdout) == {"q1": ["d2"], "q2": ["d4", "d3"]}


def test_empty_queries_and_those_without_a_hit_are_told_and_left_out(
    pets: Path, tmp_path: Path, cache: Path
) -> None:
    topics = jsonl(
        tmp_path / "topics.jsonl",
        [
            {"_id": "blank", "text": " "},
            {"_id": "stop", "text": "the of"},
            {"_id": "a", "text": "cat"},
            {"_id": "b", "text": "cat"},
        ],
    )
    done = rearank("retrieve", pets, "--queries", topics, cache=cache)
    assert found(done.stdout) == {"a": ["d1", "d2"], "b": ["d1", "d2"]}
    assert "empty queries, left out of the run: 1 (first: blank)" in done.stderr
    assert "queries that found nothing, left out of the run: 1 (first: stop)" in done.stderr


def test_emoji_halves_of_emoji_and_nul_survive_the_way_through_java(
    tmp_path: Path, cache: Path
) -> None:
    docs = [
        {"_id": "d\U0001f600", "text": "cat \U0001f600"},
        {"_id": "dé", "text": "half \ud83d of it", "title": "\ud83d"},
        {"_id": "日本", "text": "nul \0 日本"},
    ]
    asked = [
        {"_id": "a", "text": "\U0001f600"},
        {"_id": "b", "text": "half \ud83d"},
        {"_id": "c", "text": "日本 \0"},
    ]
    corpus, topics = jsonl(tmp_path / "docs", docs), jsonl(tmp_path / "topics", asked)
    done = rearank("retrieve", "--corpus", corpus, "--queries", topics, cache=cache)
    assert found(done.stdout) == {"a": ["d\U0001f600"], "b": ["dé"], "c": ["日本"]}


def test_a_document_that_lucene_refuses_is_an_error(tmp_path: Path, cache: Path) -> None:
    docs = [{"_id": "d", "text": "cat"}, {"_id": "x" * 40_000, "text": "cat"}]
    done = rearank("index", "--corpus", jsonl(tmp_path / "docs", docs), cache=cache)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected 2 documents in the index, found 1" in done.stderr


def test_a_query_of_thousands_of_terms_is_searched(pets: Path, tmp_path: Path, cache: Path) -> None:
    words = " ".join(f"word{number}" for number in range(5000))
    topics = jsonl(tmp_path / "topics.jsonl", [{"_id": "long", "text": f"{words} yeast"}])
    assert found(rearank("retrieve", pets, "--queries", topics, cache=cache).stdout) == {
        "long": ["d3"]
    }


@pytest.mark.parametrize(
    ("option", "tag", "expected"),
    [("--rm3", "bm25+rm3", 0.3460), ("--rocchio", "bm25+rocchio", 0.3371)],
)
def test_query_expansion_gives_the_figures_of_anserini(
    shared: Path, cache: Path, tmp_path: Path, option: str, tag: str, expected: float
) -> None:
    folder = shared / "collections" / "nfcorpus"
    out = tmp_path / "run.trec"
    assert rearank("retrieve", folder, option, "-o", out, cache=cache).returncode == 0
    qrels = list(read_qrels(folder / "qrels.trec"))
    measured = ir_measures.calc_aggregate([nDCG @ 10], qrels, _nested(out))[nDCG @ 10]
    assert measured == pytest.approx(expected, abs=0.0005)
    assert read_run(out).tag == tag


def test_the_run_is_the_same_for_any_number_of_threads(shared: Path, cache: Path) -> None:
    folder = shared / "collections" / "vaswani"
    one, two = (
        rearank("retrieve", folder, "--threads", count, cache=cache).stdout for count in "12"
    )
    assert len(one.splitlines()) == 9300
    assert one == two


def test_a_java_home_that_is_too_old_is_told_and_not_used(
    pets: Path, tmp_path: Path, cache: Path
) -> None:
    old = tmp_path / "jdk-17"
    old.mkdir()
    (old / "release").write_text('JAVA_VERSION="17.0.15"\n', encoding="utf-8")
    done = rearank("retrieve", pets, cache=cache, env={"JAVA_HOME": str(old)})
    assert done.returncode == 0
    assert "expected Java 21 or newer, found Java 17; using the bundled Java" in done.stderr


def test_options_for_java_reach_it(pets: Path, cache: Path) -> None:
    done = rearank("retrieve", pets, cache=cache, env={"REARANK_JVM_OPTIONS": "-XX:+NoSuch"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "Java could not be started" in done.stderr
    assert "REARANK_JVM_OPTIONS" in done.stderr


def test_a_heap_that_is_too_small_is_told(pets: Path, cache: Path) -> None:
    rearank("index", pets, cache=cache)
    done = rearank("retrieve", pets, cache=cache, env={"REARANK_JVM_OPTIONS": "-Xmx2m"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "Java ran out of memory" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_java_says_is_shown_on_stderr_on_demand(pets: Path, cache: Path) -> None:
    quiet = rearank("index", pets, "--again", cache=cache)
    loud = rearank("index", pets, "--again", "--verbose", cache=cache)
    assert "SimpleIndexer" not in quiet.stderr
    assert "SimpleIndexer" in loud.stderr
    assert loud.stdout == quiet.stdout
