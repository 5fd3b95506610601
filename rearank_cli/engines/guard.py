"""No engine process outlives the command, however the command ends.

vLLM runs its engine and workers as child processes which go on when the command is killed. The
guard is a small process beside them that holds one end of a pipe: when the pipe closes, because
the command ended or was killed, whatever is left of the command's descendants is killed too.
Linux only, as vLLM is.
"""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

# How often the guard looks for new processes, in seconds. One that is started and orphaned
# between two looks is missed; the processes of an engine live for minutes.
INTERVAL = 0.2
_PROC = Path("/proc")


class Guard:
    """Watches this process from its creation until `end`."""

    def __init__(self) -> None:
        """Start the guarding process."""
        reader, self._writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", str(Path(__file__)), str(os.getpid())],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C goes to the whole group; the guard must stay
            )
        finally:
            os.close(reader)

    def end(self) -> None:
        """Kill what is left of our child processes and wait until it is gone; may be repeated."""
        with suppress(OSError):
            os.close(self._writer)
        self._process.wait()


def children(pid: int) -> set[int]:
    """Return the ids of a process's direct children; empty for a process that is gone."""
    found: set[int] = set()
    with suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                found.update(map(int, (thread / "children").read_text().split()))
    return found


def descendants(pid: int) -> set[int]:
    """Return the ids of all processes below a process."""
    below = children(pid)
    return below.union(*(descendants(child) for child in below))


def started(pid: int) -> str:
    """Return when a process was started, in clock ticks, or nothing for one that is gone.

    Process ids are used again; an id and its start time are not. A zombie counts as gone.
    """
    with suppress(OSError):
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


def watch(owner: int) -> None:
    """Note the descendants of `owner` until stdin closes, then kill those that still live."""
    known: dict[int, str] = {}
    while True:
        closed = select.select([0], [], [], INTERVAL)[0]
        living = [pid for pid, start in known.items() if started(pid) == start]
        for pid in {below for root in (owner, *living) for below in descendants(root)}:
            known.setdefault(pid, started(pid))
        if closed:
            break
    known.pop(os.getpid(), None)
    for pid, start in known.items():
        if start and started(pid) == start:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
