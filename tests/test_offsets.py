"""Documents of a long file are found where they stand, from the second use on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.collection import offsets
from rearank_cli.collection.files import CorpusFile
from rearank_cli.errors import RearankError
from rearank_cli.records import Passage


@pytest.fixture(autouse=True, scope="module")
def files_of_every_length(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offsets, "LONG", 0)
        patch.setenv("REARANK_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def found(path: Path, *wanted: str) -> list[Passage]:
    return sorted(CorpusFile(path).lookup(wanted))


def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with every pass over a file of documents."""
    made: list[str] = []
    plain = CorpusFile.__iter__

    def counted(self: CorpusFile) -> Iterator[Passage]:
        made.append("pass")
        return plain(self)

    monkeypatch.setattr(CorpusFile, "__iter__", counted)
    return made


ids = st.sampled_from(["a", "b", " c ", "é", "x\u2028y", 'q"', "\\", "\ud800", "7", "long" * 9])
documents = st.lists(st.tuples(ids, st.sampled_from(["_id", "id", "docid"])), min_size=1)


@given(documents, st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_with_an_index_the_same_documents_are_found(
    tmp_path_factory: pytest.TempPathFactory,
    made: list[tuple[str, str]],
    ascii_only: bool,
    end: str,
) -> None:
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    lines = [
        json.dumps(
            {key: name, "text": f"text {place}"}, ensure_ascii=ascii_only or "\ud800" in name
        )
        for place, (name, key) in enumerate(made)
    ]
    path.write_text("".join(f"{line}{end}" for line in lines), encoding="utf-8", newline="")
    wanted = ["a", "b", "c", "é", "7", "?", 'q"', "\\", "nowhere"]
    scanned = found(path, *wanted)
    made_now = found(path, *wanted)
    assert offsets.Offsets(path).lookup({"a"}) is not None
    assert scanned == made_now == found(path, *wanted)


def test_the_third_use_makes_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(f'{{"_id": "d{n}", "text": "t{n}"}}\n' for n in range(50)))
    made = passes(monkeypatch)
    counts = []
    for _ in range(4):
        assert found(path, "d7", "d40") == [Passage("d40", "t40"), Passage("d7", "t7")]
        counts.append(len(made))
    assert counts == [1, 1, 1, 1]  # the second one reads the file to make the index
    path.write_text('{"_id": "d7", "text": "new"}\n' * 60)
    assert found(path, "d7") == [Passage("d7", "new")]


def test_an_index_that_lies_costs_time_alone(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": "a", "text": "1"}\n{"_id": "b", "text": "2"}\n')
    found(path, "a")
    found(path, "a")
    state = path.stat()
    with path.open("r+") as out:  # the same size, inode and time of change
        out.write('{"_id": "b", "text": "3"}\n{"_id": "a", "text": "4"}\n')
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert found(path, "a", "b") == [Passage("a", "4"), Passage("b", "3")]
    index = offsets.Offsets(path)
    index._place.write_bytes(b"damaged")
    assert found(path, "a") == [Passage("a", "4")]


def test_a_file_with_a_wrong_line_is_told_as_before(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": "a", "text": "1"}\n{"_id": "b", "text": 2}\n')
    for _ in range(3):
        with pytest.raises(RearankError, match="corpus.jsonl:2: expected a text under text"):
            found(path, "b")


def test_two_that_make_it_at_once_leave_one_whole_index(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(f'{{"_id": "d{n}", "text": "t{n}"}}\n' for n in range(3000)))
    found(path, "d7")
    script = "import sys; from rearank_cli.collection import offsets, files; offsets.LONG = 0; "
    script += "print(sorted(files.CorpusFile(sys.argv[1]).lookup(['d7', 'd2999'])))"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    expected = f"{[Passage('d2999', 't2999'), Passage('d7', 't7')]}\n"
    assert [each.communicate(timeout=120)[0] for each in both] == [expected] * 2
    index = offsets.Offsets(path)
    assert sorted(index.lookup({"d7", "d2999"}) or ()) == found(path, "d7", "d2999")
    assert not list(index._place.parent.glob(".*"))
