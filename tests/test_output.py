"""Where the output of an engine goes, with processes that are no engine but talk as much."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT

PROGRAM = """
import logging, os, subprocess, sys
from rearank_cli.engines.output import EngineOutput
output = EngineOutput({verbose})
print("the run, first half,", end=" ")  # still in our buffer when the engine is forked
ours = sys.stdout
if not os.fork():
    print("print")
    print("old print", file=ours)
    sys.stderr.write("stderr\\n")
    os.write(1, b"descriptor 1\\n")
    os.write(2, b"descriptor 2\\n")
    os.system("echo a shell; echo its stderr >&2")
    sys.exit(3)  # in order: what Python still holds is flushed
assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
print("second half")
print("a message", file=sys.stderr)
"""
SAID = ["print", "old print", "stderr", "descriptor 1", "descriptor 2", "a shell", "its stderr"]


def run(folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "REARANK_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def said(text: str) -> set[str]:
    """Return which lines of the engine are in a text."""
    return set(SAID) & {line.removeprefix("the run, first half, ") for line in text.splitlines()}


def test_nothing_that_a_forked_engine_says_lands_in_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, PROGRAM.format(verbose=False))
    assert done.stdout == "the run, first half, second half\n"
    assert done.stderr == "a message\n"
    (log,) = tmp_path.glob("logs/*.log")
    assert said(log.read_text()) == set(SAID)


def test_a_verbose_engine_speaks_to_stderr(tmp_path: Path) -> None:
    done = run(tmp_path, PROGRAM.format(verbose=True))
    assert done.stdout == "the run, first half, second half\n"
    assert said(done.stderr) == set(SAID)
    assert "a message\n" in done.stderr


@pytest.mark.parametrize("start", ["os.fork() or time.sleep(600)", "subprocess.Popen(SLEEP)"])
def test_who_reads_our_run_is_not_kept_waiting_by_an_engine_that_lives_on(
    tmp_path: Path, start: str
) -> None:
    program = f"""
import os, subprocess, time
from rearank_cli.engines.guard import Guard
from rearank_cli.engines.output import EngineOutput
SLEEP = ["sleep", "600"]
guard, output = Guard(), EngineOutput()
with guard.marking():
    {start}
os.close(0)
print("the run")
"""
    # The guard ends the engine with the command; stopped, it shows what the engine itself holds.
    program += """
os.kill(guard._process.pid, 19)
print(guard._process.pid, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "REARANK_CACHE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "the run\n"
    guard = int(process.stdout.readline())
    try:
        process.communicate(timeout=30)
    finally:
        os.kill(guard, 18)
