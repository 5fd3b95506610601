"""The guard, with processes that are no engine but behave as badly as one can."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import ROOT, alive, descendants, gone_after

# What the engine does: start processes as vLLM may, and worse. Every one of them says its id,
# ignores SIGTERM and would live for ten minutes.
ENGINE = """
import os, signal, subprocess, sys, time

def live():
    os.write(2, f"{os.getpid()}\\n".encode())
    time.sleep(600)
    os._exit(0)

def forked():
    if not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not os.fork():
            live()
        live()

def executed():
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    code += "import os; os.write(2, f'{os.getpid()}\\\\n'.encode()); time.sleep(600)"
    more = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}]); {code}"
    subprocess.Popen([sys.executable, "-c", more], close_fds=True, env={})

def orphaned():
    for _ in range(2):
        child = os.fork()
        if not child:
            if os.fork():
                os._exit(0)
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            live()
        os.waitpid(child, 0)
"""
COMMAND = """
from rearank_cli.engines.guard import Guard
guard = Guard()
with guard.marking():
    {how}()
sys.stdin.readline()
{ending}
"""
WAYS = ["forked", "executed", "orphaned"]


def started(how: str, ending: str = "time.sleep(600)") -> tuple["subprocess.Popen[str]", list[int]]:
    """Start a command with two processes of an engine; return it and them."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENGINE + COMMAND.format(how=how, ending=ending)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stderr
    pids = [int(process.stderr.readline()) for _ in range(2)]
    assert all(map(alive, pids))
    return process, pids


def run(code: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def guards(pid: int) -> list[int]:
    """Return the guarding processes of a command."""
    return [n for n in descendants(pid) if b"guard.py" in Path(f"/proc/{n}/cmdline").read_bytes()]


def clean_up(*pids: int) -> None:
    """Leave nothing behind after a test that failed."""
    for pid in filter(alive, pids):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_a_killed_command(how: str, name: signal.Signals) -> None:
    process, pids = started(how)
    watching = guards(process.pid)
    try:
        process.send_signal(name)
        process.wait()
        assert gone_after(pids, 10)
        assert gone_after(watching, 10)
    finally:
        clean_up(*pids, *watching)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("ending", ["assert guard.end() and guard.end()", "raise SystemExit"])
def test_no_process_outlives_a_command_that_ends(how: str, ending: str) -> None:
    process, pids = started(how, ending)
    watching = guards(process.pid)
    assert process.stdin and watching
    try:
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        assert gone_after([*pids, *watching], 10)
    finally:
        process.kill()
        clean_up(*pids, *watching)


def test_other_processes_of_the_command_live_on() -> None:
    code = """
before = subprocess.Popen(["sleep", "600"])
from rearank_cli.engines.guard import Guard
guard = Guard()
with guard.marking():
    engine = subprocess.Popen(["sleep", "600"])
after = subprocess.Popen(["sleep", "600"])
guard.end()
ended = [process.poll() is not None for process in (before, engine, after)]
before.kill(); after.kill()
print(ended)
"""
    done = run("import subprocess" + code)
    assert done.stdout == "[False, True, False]\n", done.stderr


def switches(pid: int) -> int:
    """Return how often a process has gone to sleep."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("voluntary_ctxt_switches:")[1].split()[0])


def test_a_guard_that_waits_never_wakes_up() -> None:
    process, pids = started("forked")
    (guard,) = guards(process.pid)
    try:
        until, before = time.monotonic() + 30, -1
        while (now := switches(guard)) != before:
            assert time.monotonic() < until, "the guard wakes up again and again"
            before = now
            time.sleep(1)
    finally:
        process.kill()
        process.wait()
        gone_after(pids, 10)
        clean_up(*pids, guard)


def test_signals_to_a_forked_engine_are_not_heard_by_the_command() -> None:
    """An event loop hears signals through a descriptor, which a forked process shares."""
    code = """
import asyncio, os, signal, sys, threading, time
from rearank_cli.cli import interrupt
from rearank_cli.engines.guard import Guard

def engine():
    with guard.marking():
        child = os.fork()
    if not child:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

async def main():
    status = await asyncio.get_running_loop().run_in_executor(None, engine)
    await asyncio.sleep(0.5)
    print("the engine ended with", status, flush=True)

guard = Guard()
try:
    interrupt.run(main())
finally:
    guard.end()
"""
    done = run(code)
    assert (done.returncode, done.stdout) == (0, "the engine ended with -15\n"), done.stderr


def test_a_system_that_lets_nobody_mark_processes_is_told_of_and_harms_nobody() -> None:
    code = """
import resource, subprocess
resource.setrlimit(10, (1000, 1000))  # file locks; a mark does not fit
from rearank_cli.engines.guard import Guard
guard = Guard()
with guard.marking():
    engine = subprocess.Popen(["sleep", "600"])
print(guard.end(), engine.poll())
engine.kill()
"""
    done = run(code)
    assert done.stdout == "True None\n"
    assert "they may live on" in done.stderr


def test_processes_that_cannot_be_killed_do_not_keep_the_command() -> None:
    code = """
import os, subprocess
from rearank_cli.engines.guard import Guard
guard = Guard()
with guard.marking():
    engine = subprocess.Popen(["sleep", "600"])
kill = os.kill
os.kill = lambda pid, number: pid == engine.pid or kill(pid, number)  # as if a driver held it
print(guard.end(0.1), engine.poll())
kill(engine.pid, 9)
"""
    done = run(code)
    assert done.stdout == "False None\n"
    assert "these processes of the engine are not gone: [" in done.stderr
