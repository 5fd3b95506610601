import gzip
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import check_writable, read_lines, write_text


def lines(path: Path) -> list[tuple[int, str]]:
    return list(read_lines(path))


def test_marks_and_line_ends_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n\nthree")
    assert lines(file) == [(1, "one"), (2, "two"), (3, ""), (4, "three")]


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "a.txt.gz"
    file.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert lines(file) == [(1, "one"), (2, "two")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.gz", b"plain text", "a.gz: expected gzip data"),
        ("a.gz", gzip.compress(b"one\n" * 999, mtime=0)[:-20], "a.gz: expected gzip data"),
        ("a.txt", b"ok\ncaf\xe9\n", "a.txt:2: expected UTF-8 text, found byte 0xe9 at position 4"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RearankError) as caught:
        lines(tmp_path / name)
    assert message in caught.value.message


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(RearankError, match="no such file"):
        lines(tmp_path / "none")
    with pytest.raises(RearankError, match="found a directory"):
        lines(tmp_path)


def test_a_file_appears_whole_and_with_usual_rights(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    with write_text(file) as handle:
        handle.write("half")
        handle.flush()
        assert not file.exists()
    assert file.read_text() == "half"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    file.write_text("old")
    with pytest.raises(ValueError, match="stop"), write_text(file) as handle:
        handle.write("new")
        raise ValueError("stop")
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert file.read_text() == "old"


def test_a_link_keeps_pointing_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with write_text(tmp_path / "link.txt") as handle:
        handle.write("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_full_disk_is_an_error_for_people() -> None:
    with pytest.raises(RearankError, match="/dev/full: cannot be written: no space left"):
        with write_text("/dev/full") as handle:
            handle.write("x" * 100_000)


def test_places_that_cannot_be_written_are_found_before_the_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.txt")
    check_writable("-")
    with pytest.raises(RearankError, match="found a directory"):
        check_writable(tmp_path)
    with pytest.raises(RearankError, match="no such folder"):
        check_writable(tmp_path / "none" / "new.txt")


def test_a_reader_that_goes_away_ends_the_writing_without_a_word() -> None:
    code = (
        "from rearank_cli.formats.files import write_text\n"
        "with write_text('-') as out:\n"
        "    out.writelines('line\\n' for _ in range(100_000))\n"
    )
    command = f'{sys.executable} -c "$CODE" | head -1; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "CODE": code}
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "line\n", "")
