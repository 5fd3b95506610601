import hashlib
from pathlib import Path

import pytest
from command import Numbers, rearank, served
from llm_server import serving

from rearank_cli.collection.digest import file_digest
from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import building, locked


def test_what_is_kept_is_shown_and_cleared(tmp_path: Path) -> None:
    Numbers(queries=3, hits=10).write(tmp_path)
    with serving() as server:
        command = ("rerank", "run.trec", *served(server.url))
        rearank(tmp_path, *command)
        shown = rearank(tmp_path, "cache", "info").stdout
        file = tmp_path / "cache" / "completions.sqlite"
        first, second = (line.split("\t") for line in shown.splitlines()[:2])
        assert (first[:2], first[3]) == (["answers", "all"], str(file))
        assert second == ["answers", "scripted", "", "3 answers"]
        other = rearank(tmp_path, "cache", "clear", "--model", "another")
        assert "0 answers removed" in other.stderr
        assert "3 answers removed" in rearank(tmp_path, "cache", "clear").stderr
        rearank(tmp_path, *command)
        assert len(server.finished) == 6


def test_everything_that_is_kept_is_shown_and_can_be_cleared(tmp_path: Path) -> None:
    for name, size in (("models/smol", 3_000_000), ("indexes/abc", 500_000), ("prebuilt/x", 9)):
        folder = tmp_path / "cache" / name
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"0" * size)
    (tmp_path / "cache" / "logs").mkdir()
    rows = [line.split("\t")[:3] for line in rearank(tmp_path, "cache", "info").stdout.splitlines()]
    assert rows[1:5] == [
        ["indexes", "all", "0.5 MB"],
        ["indexes", "abc", "0.5 MB"],
        ["models", "all", "3.0 MB"],
        ["models", "smol", "3.0 MB"],
    ]
    assert [row[0] for row in rows[5:]] == ["prebuilt"] * 2
    wrong = rearank(tmp_path, "cache", "clear", "index")
    assert "expected one of answers, indexes, models, prebuilt or all" in wrong.stderr
    assert "models: 3.0 MB removed" in rearank(tmp_path, "cache", "clear", "models").stderr
    kept = {path.name for path in (tmp_path / "cache").rglob("data")}
    assert kept == {"data"} and not (tmp_path / "cache" / "models" / "smol").exists()
    done = rearank(tmp_path, "cache", "clear", "all", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rearank(tmp_path, "cache", "info").stdout.splitlines()) == 1


def test_an_empty_cache_is_no_error(tmp_path: Path) -> None:
    done = rearank(tmp_path, "cache", "info")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)


def test_a_cache_that_cannot_be_written_costs_time_or_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "corpus.tsv").write_text("d1\ttext\n")

    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refused)
    digest = hashlib.sha256(b"d1\ttext\n").hexdigest()
    assert file_digest(tmp_path / "corpus.tsv") == digest
    for making in (locked, building):
        with pytest.raises(RearankError, match="cannot be written") as caught:
            with making(tmp_path / "absent" / "x"):
                pass
        assert "REARANK_CACHE_DIR" in caught.value.hint
