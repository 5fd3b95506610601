import os
import signal
import subprocess
import sys

import pytest
from command import ROOT, alive, gone_after

# A command with a child and a grandchild that ignore SIGTERM and would live for ten minutes.
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
CHILD = (
    f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); {STUBBORN}"
)
COMMAND = f"""
import subprocess, sys, time
from rearank_cli.engines.guard import Guard, descendants
import os
guard = Guard()
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
while len(descendants(os.getpid())) < 3:
    time.sleep(0.05)
time.sleep(0.5)
print(*descendants(os.getpid()), flush=True)
"""


def started(ending: str) -> tuple["subprocess.Popen[str]", list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND + ending],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    pids = list(map(int, process.stdout.readline().split()))
    assert len(pids) == 3
    return process, pids


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_a_killed_command(name: signal.Signals) -> None:
    process, pids = started("time.sleep(600)")
    assert all(map(alive, pids))
    process.send_signal(name)
    process.communicate()
    assert gone_after(pids, 10)


@pytest.mark.parametrize("ending", ["guard.end(); guard.end()", "raise SystemExit", "1 / 0"])
def test_no_process_outlives_a_command_that_ends(ending: str) -> None:
    process, pids = started(ending)
    process.communicate()
    assert gone_after(pids, 10)
