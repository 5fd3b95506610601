from pathlib import Path

import pytest
from bright import DOCUMENTS, REWRITTEN, mini_bright
from corpora import rearank

from rearank_cli.collection import open_collection
from rearank_cli.collection.bright import SETS, Variant, parse_variant
from rearank_cli.collection.indexed import IndexedDocuments
from rearank_cli.errors import RearankError
from rearank_cli.records import Qrel

AUTOGRAD = "pytorch/Autograd_0.txt"


@pytest.fixture
def bright(tmp_path: Path) -> Path:
    return mini_bright(tmp_path / "hub")


def test_a_set_has_documents_queries_judgements_and_excluded_ids(bright: Path) -> None:
    collection = open_collection(f"{bright}/stackoverflow")
    assert [passage.doc_id for passage in collection.documents()] == [
        document["id"] for document in DOCUMENTS
    ]
    assert collection.queries()["1"].text == "cached tensors"
    assert collection.qrels() == [
        Qrel("0", AUTOGRAD, 1),
        Qrel("0", "leaked answer.txt", -100),
        Qrel("1", AUTOGRAD, 1),
    ]
    assert collection.excluded() == {"0": frozenset(["leaked answer.txt"])}
    assert collection.passages([AUTOGRAD])[AUTOGRAD].text == "Gradients are held until backward."


def test_the_long_variant_has_whole_pages_and_their_judgements(bright: Path) -> None:
    collection = open_collection(f"{bright}/stackoverflow-long")
    assert [passage.doc_id for passage in collection.documents()][1] == "pytorch/Autograd.txt"
    assert collection.qrels()[0] == Qrel("0", "pytorch/Autograd.txt", 1)


@pytest.mark.parametrize("rewriter", ["gpt4", "gpt4_reason", "Gemini-1.0_reason"])
def test_rewritten_queries_keep_the_judgements(bright: Path, rewriter: str) -> None:
    collection = open_collection(f"{bright}/stackoverflow/{rewriter}")
    assert collection.queries()["0"].text == REWRITTEN
    assert collection.qrels()[0] == Qrel("0", AUTOGRAD, 1)


def test_names_are_read_with_dashes_or_underscores() -> None:
    assert len(SETS) == 12
    assert parse_variant("earth_science") == Variant("earth-science")
    assert parse_variant("pony-long/grit_reason") == Variant("pony", True, "grit")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chemistry", "expected one of biology, .*found 'chemistry'"),
        ("leetcode-long", "expected one of biology, .*for long pages"),
        ("biology/gpt5", "expected a rewriter of gpt4, .*found 'gpt5'"),
        ("", "expected one of biology"),
    ],
)
def test_an_unknown_set_or_variant_lists_the_known_ones(name: str, message: str) -> None:
    with pytest.raises(RearankError, match=message):
        parse_variant(name)


def test_a_set_that_the_folder_lacks_is_named(bright: Path) -> None:
    with pytest.raises(RearankError, match=r"examples: expected biology-\*.parquet, found none"):
        open_collection(f"{bright}/biology").queries()


def test_a_damaged_file_is_named(bright: Path) -> None:
    path = bright / "examples" / "stackoverflow-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RearankError, match="parquet: expected a Parquet file"):
        open_collection(f"{bright}/stackoverflow").queries()


def test_a_file_with_other_columns_is_named(bright: Path) -> None:
    documents = bright / "documents" / "stackoverflow-00000-of-00001.parquet"
    documents.replace(bright / "examples" / documents.name)
    with pytest.raises(RearankError, match="expected the columns id, query, found id, content"):
        open_collection(f"{bright}/stackoverflow").queries()


def test_from_the_hub_the_prebuilt_index_stands_in_for_documents_that_are_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path))
    documents = open_collection("bright/biology").docs
    assert isinstance(documents, IndexedDocuments)
    assert documents.index == "bright-biology"
    assert not isinstance(open_collection("bright/biology-long").docs, IndexedDocuments)


def test_excluded_documents_are_not_retrieved_and_ids_with_spaces_are_written(
    bright: Path, tmp_path: Path
) -> None:
    done = rearank("retrieve", f"{bright}/stackoverflow", "--hits", "2", cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    found = [line.split(" ", 2)[2].rsplit(" ", 3)[0] for line in done.stdout.splitlines()]
    assert found[:2] == ["pytorch/Memory Management_1.txt", "pytorch/Memory Management_0.txt"]
    assert "leaked answer.txt" not in found
