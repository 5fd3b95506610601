import gzip
from pathlib import Path

import pytest
from corpora import DOCS, QRELS, beir_folder, jsonl

from rearank_cli.collection import open_collection
from rearank_cli.errors import RearankError
from rearank_cli.records import Passage, Qrel, Query


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path / "cache"))


def test_a_beir_folder_has_documents_queries_and_judgements(tmp_path: Path) -> None:
    collection = open_collection(str(beir_folder(tmp_path / "pets")))
    assert [passage.doc_id for passage in collection.documents()] == ["d1", "d2", "d3", "d4"]
    assert collection.queries() == {"q1": Query("q1", "cat"), "q2": Query("q2", "bread oven")}
    assert collection.qrels() == [Qrel("q1", "d1", 2), Qrel("q2", "d4", 1)]


def test_passages_are_fetched_by_id_and_unknown_ids_left_out(tmp_path: Path) -> None:
    collection = open_collection(str(beir_folder(tmp_path / "pets")))
    assert collection.passages(["d4", "d3", "nowhere"]) == {
        "d3": Passage("d3", "Bread rises because yeast makes gas."),
        "d4": Passage("d4", "Bread bakes in a hot oven.", "Ovens"),
    }
    assert collection.passages([]) == {}


def test_files_replace_the_parts_of_a_named_collection(tmp_path: Path) -> None:
    topics = tmp_path / "topics.tsv"
    topics.write_text("9\tyeast\n", encoding="utf-8")
    collection = open_collection(str(beir_folder(tmp_path / "pets")), queries=str(topics))
    assert collection.queries() == {"9": Query("9", "yeast")}
    assert len(collection.qrels()) == 2


def test_a_corpus_may_be_gzip_or_tsv(tmp_path: Path) -> None:
    packed = tmp_path / "docs.tsv.gz"
    with gzip.open(packed, "wt", encoding="utf-8") as handle:
        handle.write("a b\tone two\n\nc\tthree\n")
    assert list(open_collection(corpus=str(packed)).documents()) == [
        Passage("a b", "one two"),
        Passage("c", "three"),
    ]


def test_the_fingerprint_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    first = jsonl(tmp_path / "a.jsonl", DOCS)
    second = jsonl(tmp_path / "b.jsonl", DOCS)
    before = open_collection(corpus=str(first)).fingerprint()
    assert open_collection(corpus=str(second)).fingerprint() == before
    jsonl(first, DOCS[1:])
    assert open_collection(corpus=str(first)).fingerprint() != before


def test_a_damaged_digest_memory_is_computed_again(tmp_path: Path) -> None:
    corpus = jsonl(tmp_path / "a.jsonl", DOCS)
    before = open_collection(corpus=str(corpus)).fingerprint()
    for memo in (tmp_path / "cache" / "digests").iterdir():
        memo.write_text("[", encoding="utf-8")
    assert open_collection(corpus=str(corpus)).fingerprint() == before


def test_with_several_splits_only_judged_queries_are_asked(tmp_path: Path) -> None:
    folder = beir_folder(tmp_path / "pets")
    (folder / "qrels" / "dev.tsv").write_text(QRELS.replace("q1\td1\t2\n", ""), encoding="utf-8")
    assert list(open_collection(f"{folder}/dev").queries()) == ["q2"]
    assert list(open_collection(str(folder)).queries()) == ["q1", "q2"]


@pytest.mark.parametrize(
    ("part", "parameter"),
    [("documents", "`corpus`"), ("queries", "`queries`"), ("qrels", "`qrels`")],
)
def test_a_missing_part_names_the_parameter_that_supplies_it(part: str, parameter: str) -> None:
    with pytest.raises(RearankError) as caught:
        getattr(open_collection(), part)()
    assert parameter in caught.value.hint


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    folder = beir_folder(tmp_path / "pets")
    with pytest.raises(RearankError, match="expected a split of test, found 'train'"):
        open_collection(f"{folder}/train")
