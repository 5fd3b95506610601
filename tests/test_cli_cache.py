from pathlib import Path

from command import Numbers, rearank, served
from llm_server import serving


def test_what_is_kept_is_shown_and_cleared(tmp_path: Path) -> None:
    Numbers(queries=3, hits=10).write(tmp_path)
    with serving() as server:
        command = ("rerank", "run.trec", *served(server.url))
        rearank(tmp_path, *command)
        shown = rearank(tmp_path, "cache", "info").stdout
        assert shown.splitlines()[1:] == ["scripted\t3 answers"]
        assert shown.startswith(str(tmp_path / "cache" / "completions.sqlite"))
        other = rearank(tmp_path, "cache", "clear", "--model", "another")
        assert "0 answers removed" in other.stderr
        assert "3 answers removed" in rearank(tmp_path, "cache", "clear").stderr
        rearank(tmp_path, *command)
        assert len(server.finished) == 6


def test_an_empty_cache_is_no_error(tmp_path: Path) -> None:
    done = rearank(tmp_path, "cache", "info")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
