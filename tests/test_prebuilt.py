"""Prebuilt indexes, with a tiny one that the tests make and serve from a file address."""

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from corpora import beir_folder, jsonl, rearank

from rearank_cli.collection.catalogue import catalogue as ir_datasets
from rearank_cli.collection.indexed import IndexedDocuments
from rearank_cli.collection.matching import matching_index
from rearank_cli.errors import RearankError
from rearank_cli.lucene.prebuilt import catalogue, find, resolve_index
from rearank_cli.lucene.stored import decode
from rearank_cli.records import Passage


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of our own with one index, `tiny`, of the four documents about pets."""
    home = tmp_path_factory.mktemp("prebuilt")
    made = rearank("index", beir_folder(home / "pets"), cache=home / "cache")
    assert made.returncode == 0, made.stderr
    packed = home / "lucene-inverted.tiny.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(made.stdout.strip(), arcname="lucene-inverted.tiny")
    entry = {
        "name": "tiny",
        "filename": packed.name,
        "urls": [packed.as_uri()],
        "md5": hashlib.md5(packed.read_bytes()).hexdigest(),
        "compressed_size": packed.stat().st_size,
        "documents": 4,
    }
    listing = home / "mirror.json"
    listing.write_text(json.dumps([entry]), encoding="utf-8")
    return listing


@pytest.fixture
def places(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches of this test alone, and the catalogue with `tiny`."""
    monkeypatch.setenv("REARANK_PREBUILT", str(archive))
    monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYSERINI_CACHE", str(tmp_path / "pyserini"))
    return tmp_path


def test_the_catalogue_is_anserinis_and_ours(places: Path) -> None:
    known = catalogue()
    assert known["tiny"].documents == 4
    assert known["msmarco-v1-passage"].documents == 8_841_823
    assert known["msmarco-v1-passage"].md5 == "678876e8c99a89933d553609a0fd8793"


def test_a_name_is_downloaded_checked_unpacked_and_found_again(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = find("tiny")
    assert list(index.glob("segments_*"))
    folders = [path.name for path in (places / "cache" / "prebuilt").iterdir() if path.is_dir()]
    assert folders == [catalogue()["tiny"].folder]
    assert not list((places / "cache" / "prebuilt").glob("*.tar.gz"))
    without_addresses(places, monkeypatch)
    assert find("tiny") == resolve_index(str(index)) == index


def test_the_copy_that_pyserini_has_is_used_where_it_is(places: Path) -> None:
    theirs = places / "pyserini" / "indexes" / catalogue()["tiny"].folder
    shutil.copytree(find("tiny"), theirs)
    shutil.rmtree(places / "cache")
    assert find("tiny") == theirs


def without_addresses(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the catalogue so that nothing can be downloaded any more."""
    moved = places / "mirror.json"
    tiny = catalogue()["tiny"]._asdict()
    entry = {**tiny, "urls": [], "compressed_size": tiny["size"]}
    moved.write_text(json.dumps([entry]), encoding="utf-8")
    monkeypatch.setenv("REARANK_PREBUILT", str(moved))


def test_an_archive_brought_by_hand_is_unpacked(
    places: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalogue()["tiny"]
    (places / "cache" / "prebuilt").mkdir(parents=True)
    shutil.copy(archive.parent / entry.filename, places / "cache" / "prebuilt")
    without_addresses(places, monkeypatch)
    assert list(find("tiny").glob("segments_*"))


def test_a_damaged_archive_is_never_unpacked(places: Path, archive: Path) -> None:
    (places / "cache" / "prebuilt").mkdir(parents=True)
    archive_here = places / "cache" / "prebuilt" / catalogue()["tiny"].filename
    archive_here.write_bytes(b"half of it")
    with pytest.raises(RearankError, match="expected MD5 .*the file was removed"):
        find("tiny")
    assert not [path for path in archive_here.parent.iterdir() if path.is_dir()]


def test_too_little_disk_space_is_told_first(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(places)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(RearankError, match="of free space, found 0.0 MB"):
        find("tiny")


def test_an_unknown_name_suggests_a_known_one(places: Path) -> None:
    with pytest.raises(RearankError, match="neither a folder nor a prebuilt index") as caught:
        find("beir-v1.0.0-nfcorpus.fla")
    assert "beir-v1.0.0-nfcorpus.flat" in caught.value.hint


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RearankError, match="expected a Lucene index"):
        resolve_index(str(tmp_path))


def test_a_catalogue_of_another_form_is_refused(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = places / "wrong.json"
    wrong.write_text('[{"name": "x"}]', encoding="utf-8")
    monkeypatch.setenv("REARANK_PREBUILT", str(wrong))
    with pytest.raises(RearankError, match="expected a JSON list of prebuilt indexes"):
        catalogue()


def test_retrieve_searches_a_prebuilt_index_and_reads_no_documents(places: Path) -> None:
    topics = jsonl(places / "topics.jsonl", [{"_id": "q", "text": "cat"}])
    done = rearank(
        "retrieve", "--queries", topics, "--index", "tiny", cache=places / "cache", env=os.environ
    )
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["d1", "d2"]
    assert "indexed" not in done.stderr


def test_passages_come_from_the_stored_text_of_an_index(places: Path) -> None:
    documents = IndexedDocuments("tiny")
    assert list(documents.lookup(["d2", "d3", "nowhere"])) == [
        Passage("d2", "A dog guards the house and chases the cat.", "Dogs"),
        Passage("d3", "Bread rises because yeast makes gas."),
    ]
    assert list(documents.lookup([])) == []


def test_an_index_that_cannot_be_had_is_told_by_the_reader_of_passages(places: Path) -> None:
    with pytest.raises(RearankError, match="nothing: expected an index, found neither"):
        list(IndexedDocuments("nothing").lookup(["d1"]))


@pytest.mark.parametrize(
    ("raw", "title", "text"),
    [
        ('{"id": "1", "contents": "text"}', "", "text"),
        ('{"id": "1", "title": "T", "contents": "T\\ntext"}', "T", "text"),
        ('{"_id": "1", "title": "T", "text": "text", "metadata": {}}', "T", "text"),
        ('{"pid": "1", "passage": "text", "spans": "(0,4)"}', "", "text"),
        ('{"docid": "1", "title": "T", "headings": "h", "body": "text"}', "T", "text"),
        ("<DOC>\n<DOCNO>1</DOCNO>\n<TEXT>\ntext\n</TEXT></DOC>", "", "1 text"),
        ("17", "", "17"),
    ],
)
def test_stored_text_is_read_in_every_form_in_use(raw: str, title: str, text: str) -> None:
    assert decode(raw) == (title, text)


def test_datasets_know_their_index_and_every_index_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path))
    known = catalogue()
    matched = {name: matching_index(name) for name in ir_datasets().registry}
    indexes = {index for index in matched.values() if index}
    assert indexes <= set(known)
    assert sum(index is not None for index in matched.values()) > 100
    assert matched["msmarco-passage/trec-dl-2019/judged"] == "msmarco-v1-passage"
    assert matched["msmarco-passage-v2/trec-dl-2021/judged"] == "msmarco-v2-passage"
    assert matched["beir/cqadupstack/tex"] == "beir-v1.0.0-cqadupstack-tex.flat"
    assert matched["beir/webis-touche2020/v2"] == "beir-v1.0.0-webis-touche2020.flat"
    assert matched["bright/biology"] == "bright-biology"
    assert matched["bright/biology-long"] is None
    assert matched["vaswani"] is None
