"""Bad data and bad options: one clear message with the place, exit code 2, nothing written.

Java must not even start for most of these, so that the message comes at once.
"""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from corpora import beir_folder, rearank

from rearank_cli.cli.app import main

DOC = '{"_id": "d1", "text": "cat"}\n'
Files = Callable[[str, str | bytes], str]


@pytest.fixture
def put(tmp_path: Path) -> Files:
    """Write a file and return its path."""

    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


CORPORA: list[tuple[str, str | bytes, str]] = [
    ("docs.jsonl", "", "docs.jsonl: expected documents, found no lines"),
    ("docs.jsonl", "\n\n", "docs.jsonl: expected documents, found no lines"),
    ("docs.jsonl", DOC + "{", "docs.jsonl:2: expected a JSON object, found invalid JSON"),
    ("docs.jsonl", DOC + "null\n", "docs.jsonl:2: expected a JSON object, found 'null'"),
    ("docs.jsonl", '{"text": "x"}\n', "docs.jsonl:1: expected an id under _id or id"),
    ("docs.jsonl", '{"_id": "1", "abstract": "x"}\n', "docs.jsonl:1: expected a text under text"),
    ("docs.jsonl", '{"_id": "1", "text": null}\n', "docs.jsonl:1: expected a text under text"),
    ("docs.jsonl", DOC.encode() + b'{"_id": "\xff"}\n', "docs.jsonl:2: expected UTF-8 text"),
    ("docs.jsonl", "[" + DOC + "]", "docs.jsonl:1: expected a document, found '["),
    ("docs.jsonl", '{"_id": "1", "text": ' + "[" * 100_000, "docs.jsonl:1: expected a JSON object"),
    ("docs.jsonl.gz", DOC, "docs.jsonl.gz: expected gzip data, found something else"),
    (
        "docs.jsonl.gz",
        gzip.compress(DOC.encode() * 99, mtime=0)[:-9],
        "docs.jsonl.gz: expected gzip data",
    ),
    ("docs.tsv", "d1\tcat\nd2\n", "docs.tsv:2: expected 2 columns separated by tabs, found 1"),
    ("docs.tsv", "d1 cat\n", "docs.tsv:1: expected a document, found 'd1 cat'"),
    ("docs.tsv", "d1\tcat\n \tdog\n", "docs.tsv:2: expected an id, found an empty one"),
    ("docs.tsv", "id\turl\tcontent\n", "docs.tsv:1: expected 2 columns separated by a tab"),
    ("docs.sgml", "<DOC>\n<TEXT>cat</TEXT>\n</DOC>\n", "docs.sgml:1: expected <DOCNO>"),
    ("docs.sgml", "<DOC>\n<DOCNO>1</DOCNO>\ncat\n", "docs.sgml:1: expected </DOC>"),
    ("docs.xml", "<html>cat</html>\n", "docs.xml:1: expected <DOC>, found '<html>cat</html>'"),
]
TOPICS: list[tuple[str, str | bytes, str]] = [
    ("topics.tsv", "", "topics.tsv: expected queries, found no lines"),
    ("topics.tsv", "q1 cat\n", "topics.tsv:1: expected a topic, found 'q1 cat'"),
    ("topics.tsv", "q1\tcat\nq1\tdog\n", "topics.tsv:2: query id q1 is there twice"),
    ("topics.tsv", "q1\tcat\ndog\n", "topics.tsv:2: expected 2 columns"),
    ("topics.jsonl", '{"_id": "q1"}\n', "topics.jsonl:1: expected a text under text"),
    ("topics.trec", "<top>\n<num> 1\n<title> cat\n", "topics.trec:1: expected </top>"),
    ("topics.trec", "<top>\n<num> 1\n</top>\n", "topics.trec:1: expected a topic with <title>"),
    ("topics.xml", "<queries/>\n", "topics.xml:1: expected <top>, found '<queries/>'"),
]


def refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> str:
    """Run the command in this process, check that it refuses, and return what it said."""
    monkeypatch.setattr(sys, "argv", ["rearank", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert "Traceback" not in err
    assert "jnius" not in sys.modules
    return err


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "irds"))
    monkeypatch.setenv("PYSERINI_CACHE", str(tmp_path / "pyserini"))
    monkeypatch.delenv("REARANK_DATASET", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "content", "message"), CORPORA)
def test_a_bad_corpus(
    put: Files,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str | bytes,
    message: str,
) -> None:
    corpus = put(name, content)
    error = refused(capsys, monkeypatch, "index", "--corpus", corpus)
    assert message in error
    assert not list(Path("cache").glob("indexes/[!.]*"))


@pytest.mark.parametrize(("name", "content", "message"), TOPICS)
def test_bad_topics(
    put: Files,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str | bytes,
    message: str,
) -> None:
    corpus, topics = put("docs.jsonl", DOC), put(name, content)
    arguments = ("retrieve", "--corpus", corpus, "--queries", topics, "-o", "out.trec")
    assert message in refused(capsys, monkeypatch, *arguments)
    assert not Path("out.trec").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("retrieve", "no queries"),
        ("retrieve --corpus docs.jsonl", "no queries"),
        ("retrieve --queries topics.tsv", "no documents"),
        ("index", "no documents"),
        ("index --corpus nowhere.jsonl", "nowhere.jsonl: no such file"),
        ("index --corpus pets", "--corpus pets: expected a file, found a directory"),
        ("index --corpus pets", "hint: a folder is a collection: -d pets"),
        ("index --corpus empty", "hint: name a file inside it"),
        ("retrieve -d pets --queries pets", "pets: expected a file, found a directory"),
        ("retrieve -d pets --queries pets", "hint: a folder is a collection: -d "),
        ("report r --qrels pets", "pets: expected a file, found a directory"),
        ("index --corpus -", "--corpus: expected a file, found -"),
        ("index docs.jsonl", "docs.jsonl: expected a collection, found a file"),
        ("index ./nowhere", "./nowhere: no such folder"),
        ("index ./empty", "./empty: expected a collection, found none of its files"),
        ("index pets/train", "pets: expected a split of test, found 'train'"),
        ("index vaswanni", "vaswanni: expected a collection, found neither a folder"),
        ("index bright/chemistry", "bright/chemistry: expected one of biology"),
        ("index pets --language xx", "--language: expected one of ar, bn"),
        ("index pets --corpus docs.jsonl --corpus-from pets", "expected one corpus, found two"),
        ("index --corpus-from vaswanni", "vaswanni: expected a collection"),
        ("index index-only -d pets", "expected one collection, found two"),
        ("retrieve pets --index nowhere", "nowhere: expected an index, found neither"),
        ("retrieve pets --index empty", "empty: expected a Lucene index (segments_*), found none"),
        ("retrieve pets --rm3 --rocchio", "expected one expansion, found two"),
        ("retrieve pets --exclude one.tsv", "one.tsv:1: expected 2 columns (query_id doc_id)"),
        ("retrieve pets --exclude nowhere.tsv", "nowhere.tsv: no such file"),
        ("retrieve pets --query-field title", "queries.jsonl:1: expected a text under title"),
        ("retrieve vaswani --query-field title", "vaswani: expected a query field of text"),
        ("retrieve pets --tag two words", "-o: expected a name for each of 2 runs, found stdout"),
        ("retrieve pets --hits 0", "--hits: expected a whole number of at least 1, found '0'"),
        ("retrieve pets --b 2", "--b: expected a number from 0 to 1, found '2'"),
        ("retrieve pets --threads none", "--threads: expected a whole number"),
        ("retrieve pets -o nowhere/run.trec", "nowhere/run.trec: no such folder"),
        ("retrieve pets -o empty", "empty: expected a file to write, found a directory"),
    ],
)
def test_bad_options(
    put: Files,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    message: str,
) -> None:
    beir_folder(Path("pets"))
    Path("empty").mkdir()
    put("docs.jsonl", DOC)
    put("topics.tsv", "q1\tcat\n")
    put("one.tsv", "alone\n")
    put("r", "q1 Q0 d 1 1 tag\n")
    assert message in refused(capsys, monkeypatch, *arguments.split())


@pytest.mark.parametrize(
    ("dataset", "place"),
    [
        ("beir/scifact/test", "irds/beir/scifact/source.zip"),
        ("msmarco-document/trec-dl-2019/judged", "irds/msmarco-document/trec-dl-2019/qrels"),
        ("bright/pony", "irds/bright/pony.queries.parquet"),
    ],
)
def test_a_dataset_that_cannot_be_downloaded_names_file_source_and_place(
    tmp_path: Path, dataset: str, place: str
) -> None:
    # Nothing listens at port 9; a proxy there makes every download fail at once.
    proxies = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy")}
    done = rearank("retrieve", "-d", dataset, cache=tmp_path / "cache", env=proxies)
    assert (done.returncode, done.stdout) == (2, "")
    error = next(line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert f"{dataset}: https://" in error
    assert "the download failed" in error
    assert str(tmp_path / place) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_file_of_a_dataset_is_told(put: Files, tmp_path: Path) -> None:
    put("irds/beir/nfcorpus/source.zip", "no zip")
    done = rearank("retrieve", "-d", "beir/nfcorpus/test", cache=tmp_path / "cache")
    assert (done.returncode, done.stdout) == (2, "")
    assert "beir/nfcorpus/test: the files of this dataset cannot be read: BadZip" in done.stderr
    assert "Traceback" not in done.stderr
