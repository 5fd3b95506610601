"""Engines that vLLM forks, as it does on a GPU unless told otherwise; see forking.py."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny
from command import ROOT, alive, descendants, environment, gone_after
from forking import CHATTER

pytest.importorskip("vllm", reason="needs the extra `cpu`")
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("forking"))


def start(folder: Path, model: Path, count: int, tokens: int) -> "subprocess.Popen[str]":
    """Start the command in a process group of its own, where Ctrl-C works."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "forking.py"), str(model), str(count), str(tokens)],
        env={**environment(folder), "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def heard(process: "subprocess.Popen[str]", text: str) -> None:
    """Wait until the command says something that begins so."""
    assert process.stderr
    assert any(line.startswith(text) for line in process.stderr), f"never said {text!r}"


def forked(pid: int) -> set[int]:
    """Return the processes below a command that were forked: they have its command line."""
    same = Path(f"/proc/{pid}/cmdline").read_bytes()
    found = set()
    for below in descendants(pid):
        try:
            line = Path(f"/proc/{below}/cmdline").read_bytes()
        except OSError:
            continue
        if line == same or line.startswith(b"VLLM::"):  # they give themselves a title
            found.add(below)
    return found


def shared_memory(pids: set[int]) -> set[Path]:
    """Return the files of shared memory that processes use; they outlive all of them."""
    found: set[Path] = set()
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        except OSError:
            continue
        found.update(Path(line.split()[-1]) for line in lines if "/dev/shm/psm_" in line)
    return set(filter(Path.exists, found))


def test_a_forked_engine_answers_and_the_run_holds_nothing_else(
    tmp_path: Path, model: Path
) -> None:
    process = start(tmp_path, model, count=3, tokens=8)
    heard(process, "engine ready")
    (log,) = tmp_path.glob("cache/logs/*.log")
    assert forked(process.pid), "the engine was not forked"
    assert log.read_text().count(CHATTER) >= 1
    below = descendants(process.pid)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert [line.split(":")[0] for line in stdout.splitlines()] == [
        "answer 1",
        "answer 2",
        "answer 3",
    ]
    assert gone_after(below, 10)
    assert not log.exists()
    guess, capacity, kv_tokens, seconds = json.loads(stderr.splitlines()[-1])
    assert (guess, capacity) == (128, 256)  # a guess, and what vLLM takes for throughput on a CPU
    assert kv_tokens == 2**30 // (2 * 2 * 64 * 2)  # 1 GiB; layers, keys and values, size, bytes
    assert seconds > 0


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("when", ["importing vLLM", "forked", "engine ready"])
def test_no_forked_process_outlives_the_command(
    tmp_path: Path, model: Path, when: str, name: signal.Signals
) -> None:
    process = start(tmp_path, model, count=1000, tokens=400)
    below: set[int] = set()
    try:
        heard(process, when if when != "forked" else "starting vLLM")
        until = time.monotonic() + 90
        while when == "forked" and not forked(process.pid):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        below = descendants(process.pid)
        shared = shared_memory(below)
        assert shared or when != "engine ready"
        process.send_signal(name)
        while process.poll() is None:  # none that is started later may stay, either
            below |= descendants(process.pid)
            time.sleep(0.05)
            assert time.monotonic() < until, "the command does not end"
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == CODES[name]
        assert gone_after(below, 10)
        assert not set(filter(Path.exists, shared))
        assert CHATTER not in stdout
        assert "Traceback" not in stderr
    finally:
        process.kill()
        for pid in filter(alive, below):
            os.kill(pid, signal.SIGKILL)
