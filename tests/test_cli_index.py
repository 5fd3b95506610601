"""`rearank index`, on real Lucene."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from corpora import DOCS, beir_folder, jsonl, rearank


def indexes(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "indexes").iterdir() if path.is_dir())


def test_the_folder_of_the_index_is_printed_and_kept_for_the_same_content(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = rearank("index", beir_folder(tmp_path / "pets"), cache=cache)
    assert (first.returncode, Path(first.stdout.strip())) == (0, indexes(cache)[0])
    assert "indexed 4 documents" in first.stderr
    copy = jsonl(tmp_path / "copy.jsonl", DOCS)
    again = rearank("index", "--corpus", copy, cache=cache)
    assert (again.stdout, again.stderr) == (first.stdout, "")


def test_another_content_or_language_is_another_index(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    corpus = jsonl(tmp_path / "docs.jsonl", DOCS)
    rearank("index", "--corpus", corpus, cache=cache)
    rearank("index", "--corpus", corpus, "--language", "fr", cache=cache)
    jsonl(corpus, DOCS[1:])
    rearank("index", "--corpus", corpus, cache=cache)
    assert len(indexes(cache)) == 3


def test_again_builds_anew(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    corpus = jsonl(tmp_path / "docs.jsonl", DOCS)
    rearank("index", "--corpus", corpus, cache=cache)
    (indexes(cache)[0] / "mark").touch()
    rearank("index", "--corpus", corpus, "--again", cache=cache)
    assert not (indexes(cache)[0] / "mark").exists()


def test_documents_of_another_collection_can_be_taken(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = rearank("index", "--corpus-from", beir_folder(tmp_path / "pets"), cache=cache)
    assert "indexed 4 documents" in done.stderr


def test_a_killed_build_leaves_no_index_and_the_next_one_clears_up(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    many = ({"_id": str(number), "text": f"word{number} text"} for number in range(60_000))
    corpus = jsonl(tmp_path / "docs.jsonl", many)
    environment = {**os.environ, "REARANK_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "rearank_cli", "index", "--corpus", str(corpus)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as building:
        while not list((cache / "indexes").glob(".*/write.lock")):
            assert building.poll() is None
            time.sleep(0.01)
        building.send_signal(signal.SIGKILL)
    left = indexes(cache)
    assert len(left) == 1
    assert left[0].name.startswith(".")
    done = rearank("index", "--corpus", corpus, cache=cache)
    assert "indexed 60,000 documents" in done.stderr
    assert indexes(cache) == [Path(done.stdout.strip())]


def test_two_builds_at_once_make_one_index(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    corpus = jsonl(tmp_path / "docs.jsonl", DOCS)
    environment = {**os.environ, "REARANK_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "rearank_cli", "index", "--corpus", str(corpus)]
    both = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    talk = "".join(process.communicate()[1] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert talk.count("indexed 4 documents") == 1
    assert len(indexes(cache)) == 1


@pytest.mark.parametrize(
    ("language", "text", "query"),
    [
        ("ar", "الكتب في المكتبة", "كتاب الكتب"),
        ("ja", "東京は日本の首都です", "日本の首都"),
        ("fi", "talossa on ikkunoita", "talo ikkuna"),
        ("sw", "nyumba ya mti", "mti"),
    ],
)
def test_analyzers_of_other_languages(tmp_path: Path, language: str, text: str, query: str) -> None:
    corpus = jsonl(tmp_path / "docs.jsonl", [{"_id": "d", "text": text}])
    topics = jsonl(tmp_path / "topics.jsonl", [{"_id": "q", "text": query}])
    done = rearank(
        *("retrieve", "--corpus", corpus, "--queries", topics, "--language", language),
        cache=tmp_path / "cache",
    )
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["d"]
