"""Files as they are found: packed in five ways, and what is no text at all told by its name."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from command import Numbers, rearank

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import read_lines
from rearank_cli.formats.trec_fast import LONG, read_run_head

TEXT = "".join(f"d{n}\tsome text {n}\n" for n in range(2000)).encode()


def zstd(data: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}
WORDS = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_file_reads_like_a_plain_one(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"corpus.tsv.{ending}"
    file.write_bytes(PACKERS[ending](TEXT))
    assert [line for _, line in read_lines(file)] == TEXT.decode().splitlines()


@pytest.mark.parametrize("ending", PACKERS)
def test_two_packed_files_joined_read_as_one(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    file.write_bytes(PACKERS[ending](TEXT) * 2)
    assert len(list(read_lines(file))) == 4000


# What pyarrow packs with zstd carries no checksum, so that a change inside may go unseen.
DAMAGES = [
    (ending, damage)
    for ending in PACKERS
    for damage in ("plain", "cut", "changed")
    if (ending, damage) != ("zst", "changed")
]


@pytest.mark.parametrize(("ending", "damage"), DAMAGES)
def test_damage_is_told_with_the_kind_of_file(tmp_path: Path, ending: str, damage: str) -> None:
    packed = PACKERS[ending](TEXT)
    middle = len(packed) // 2
    damaged = {
        "plain": b"plain text\n" * 99,
        "cut": packed[:middle],
        "changed": packed[:middle] + bytes(8) + packed[middle + 8 :],
    }
    file = tmp_path / f"a.{ending}"
    file.write_bytes(damaged[damage])
    with pytest.raises(RearankError) as caught:
        list(read_lines(file))
    assert caught.value.message.startswith(f"{file}: expected {WORDS[ending]} data")


def zipped() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("corpus.tsv", TEXT)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "found", "hint"),
    [
        ("c.zip", zipped(), "a zip archive", "unzip -p"),
        ("c.jsonl", zipped(), "a zip archive", "unzip -p"),
        ("c.tsv", "d1\tä\n".encode("utf-16"), "UTF-16 text", "iconv -f utf-16 -t utf-8"),
        ("c.tsv", "\ufeffd1\tä\n".encode("utf-16-be"), "UTF-16 text", "iconv -f utf-16 -t utf-8"),
        ("c.tsv", "d1\tä\n".encode("utf-16-le"), "UTF-16 text", "iconv -f utf-16le -t utf-8"),
        ("c.tsv", "d1\tä\n".encode("utf-16-be"), "UTF-16 text", "iconv -f utf-16be -t utf-8"),
        ("c.tsv", bz2.compress(TEXT), "bzip2 data", "end the file's name in .bz2"),
        ("c.tsv", lzma.compress(TEXT), "xz data", "end the file's name in .xz"),
        ("c.tsv", zstd(TEXT), "zstd data", "end the file's name in .zst"),
    ],
)
def test_what_is_no_utf8_text_is_named_with_the_way_out(
    tmp_path: Path, name: str, content: bytes, found: str, hint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RearankError) as caught:
        list(read_lines(tmp_path / name))
    assert caught.value.message == f"{tmp_path / name}: expected UTF-8 text, found {found}"
    assert hint in caught.value.hint
    assert "latin1" not in caught.value.hint


def test_packed_data_on_stdin_is_named_too(tmp_path: Path) -> None:
    done = rearank(tmp_path, "eval", "-", "--qrels", "q", stdin="PK\x03\x04\x14 more\n")
    assert done.returncode == 2
    (tmp_path / "q").write_text("q1 0 d1 1\n")
    done = rearank(tmp_path, "eval", "-", "--qrels", "q", stdin="PK\x03\x04\x14 more\n")
    assert "error: <stdin>: expected UTF-8 text, found a zip archive" in done.stderr


@pytest.mark.parametrize("ending", ["bz2", "zst"])
def test_a_long_packed_run_is_read_by_columns_and_right(tmp_path: Path, ending: str) -> None:
    lines = "".join(f"q{n // 100} Q0 document-{n} {n % 100 + 1} {-n} t\n" for n in range(200_000))
    assert len(lines) > LONG
    file = tmp_path / f"run.trec.{ending}"
    file.write_bytes(PACKERS[ending](lines.encode()))
    run = read_run_head(file)
    assert len(run.rankings) == 2000
    assert run.rankings["q7"][:2] == ("document-700", "document-701")


def test_a_folder_may_hold_packed_parts(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    Numbers(queries=2, hits=3).write(made)
    folder = tmp_path / "packed"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.tsv.xz").write_bytes(lzma.compress((made / "corpus.tsv").read_bytes()))
    (folder / "queries.tsv.zst").write_bytes(zstd((made / "queries.tsv").read_bytes()))
    (folder / "qrels" / "test.txt.bz2").write_bytes(bz2.compress((made / "qrels.txt").read_bytes()))
    (tmp_path / "run.trec").write_bytes((made / "run.trec").read_bytes())
    done = rearank(tmp_path, "eval", "run.trec", "-d", "packed", "-m", "RR")
    assert done.stdout.split() == ["run", "RR", "run", "0.3333"], done.stderr
    options = ("--limit", "1", "-o", "report.html")
    done = rearank(tmp_path, "report", "run.trec", "-d", "packed", *options)
    assert "passage 002" in (tmp_path / "report.html").read_text(), done.stderr
