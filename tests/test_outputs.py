"""What is written: packed by its name, together or not at all, to places that are full or gone."""

import gzip
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import Numbers, environment, rearank, served, start
from llm_server import serving
from test_cli_rerank import wait_for

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import read_lines, write_text
from rearank_cli.formats.locks import locked
from rearank_cli.formats.origin import content_digest, read_origin
from rearank_cli.reranking.trace import read_provenance

SMALL = Numbers(queries=3, hits=25)
TEXT = "one\ntwo ü\n" * 1000


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_files_are_packed_by_their_names_and_always_alike(tmp_path: Path, ending: str) -> None:
    digests = set()
    for name in ("a", "b"):
        path = tmp_path / f"{name}.txt{ending}"
        with write_text(path) as handle:
            handle.write(TEXT)
        os.utime(path, (0, 0))
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        assert "".join(f"{line}\n" for _, line in read_lines(path)) == TEXT
        assert (path.stat().st_size < len(TEXT) / 2) is bool(ending)
    assert len(digests) == 1


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    run = (tmp_path / "run.trec").read_bytes()
    (tmp_path / "packed.trec").write_bytes(gzip.compress(run))
    command = [sys.executable, "-m", "rearank_cli", "eval", "--qrels", "qrels.txt", "-m", "RR"]
    for name, given in (("packed.trec", b""), ("-", gzip.compress(run))):
        done = subprocess.run(
            [*command, name],
            cwd=tmp_path,
            env=environment(tmp_path),
            input=given,
            capture_output=True,
            check=False,
        )
        assert done.stdout.split()[-1] == b"0.0400", done.stderr


def test_a_packed_run_has_its_trace_and_origin_beside_it(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving() as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url), "-o", "new.trec.gz")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new.trace.jsonl").is_file()
    found = read_origin(tmp_path / "new.trec.gz")
    assert found and found["run"]["sha256"] == content_digest(tmp_path / "new.trec.gz")
    done = rearank(tmp_path, "eval", "new.trec.gz", "qrels.txt")
    assert done.stdout.splitlines()[1] == "new\t1.0000"


def test_two_commands_with_one_output(tmp_path: Path) -> None:
    """The second is refused as long as the first is at it, and not after it was killed."""
    SMALL.write(tmp_path)
    with serving(seconds=0.3) as server:
        command = (
            "rerank",
            "run.trec",
            *served(server.url),
            "--concurrency",
            "1",
            "-o",
            "new.trec",
        )
        first = start(tmp_path, *command)
        wait_for(lambda: len(server.finished) >= 1)
        server.seconds = 60.0  # longer than the second command takes to be refused
        second = rearank(tmp_path, *command)
        assert second.returncode == 2
        assert "error: new.trec: another rearank is writing it" in second.stderr
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=20)
        server.seconds = 0.0
        third = rearank(tmp_path, *command)
    assert third.returncode == 0, third.stderr
    assert read_provenance(str(tmp_path / "new.trace.jsonl"))["run"]["sha256"] == content_digest(
        tmp_path / "new.trec"
    )
    assert not list(tmp_path.glob(".*.lock"))


def test_a_lock_ends_with_its_block(tmp_path: Path) -> None:
    target = str(tmp_path / "x")
    with locked(target):
        with pytest.raises(RearankError, match="another rearank is writing it"), locked(target):
            pass
    with locked(target), locked("-"), locked("/dev/null"):
        pass
    assert list(tmp_path.iterdir()) == []


COMMANDS = (
    "eval run.trec qrels.txt",
    "eval run.trec qrels.txt -f table",
    "export docs demo",
    "datasets demo",
    "cache info",
    "--help",
    "rerank --help",
)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_stdout_that_is_full_closed_or_left_ends_every_command_alike(
    tmp_path: Path, line: str
) -> None:
    SMALL.write(tmp_path)
    command = f"{sys.executable} -m rearank_cli {line}"

    def ended(rest: str) -> tuple[str, str]:
        done = subprocess.run(
            ["bash", "-c", f"{command} {rest}"],
            cwd=tmp_path,
            env={**environment(tmp_path), "PYTHONUTF8": "0", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, rest
        return done.stdout.strip(), done.stderr

    code, told = ended("> /dev/full; echo $?")
    assert (code, "error: <stdout>: cannot be written: no space left" in told) == ("2", True)
    code, told = ended(">&-; echo $?")[0].splitlines()[-1], ""
    assert code in ("0", "2")  # help needs no reader
    assert ended("2>&- > out; echo $?")[0] == "0"
    assert ended("| (read -r first); echo ${PIPESTATUS[0]}")[0] == "0"
