"""No engine process outlives the command, however the command ends.

vLLM runs its engine and workers as child processes which go on when the command is killed. The
guard is a small process beside them that sleeps until the kernel says that the command is gone;
then it kills what the engine has left behind. Linux only, as vLLM is.

An engine's processes are known by a mark that every process inherits from the one that starts it:
a resource limit that the kernel keeps but has not looked at since Linux 2.6, the number of file
locks. It stays as it is through fork and exec, in a new session, when descriptors are closed,
when title and environment are overwritten, and when the parent dies, so that nobody has to watch
who starts whom.
"""

import logging
import os
import resource
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROC = Path("/proc")
_LOCKS = 10  # RLIMIT_LOCKS; the module `resource` has no name for it
# How long killed processes may take to go, in seconds. One that holds a GPU takes a few.
PATIENCE = 20.0
# How long multiprocessing's resource tracker may take to unlink shared memory, in seconds.
TIDYING = 5.0
# How often killed processes are looked at, and a command on a kernel without pidfd, in seconds.
_PAUSE, _LOOK = 0.02, 1.0

# Limits belong to the whole process: one engine starts after the other.
_marking = threading.Lock()


def _forget_signals() -> None:
    """Give a process that was forked for the engine the signal handling of a fresh one.

    An event loop hears of signals through a socket, which a forked process shares: a SIGTERM for
    the engine would end the command.
    """
    if not _marking.locked():
        return
    signal.set_wakeup_fd(-1)
    if callable(signal.getsignal(signal.SIGTERM)):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if callable(signal.getsignal(signal.SIGINT)):
        signal.signal(signal.SIGINT, signal.default_int_handler)


os.register_at_fork(after_in_child=_forget_signals)


class Guard:
    """Watches over what is started inside `marking`, from its creation until `end`."""

    def __init__(self) -> None:
        """Start the guarding process."""
        self._mark = 2**61 + secrets.randbelow(2**61)  # far above any limit that somebody set
        owner = os.getpid()
        arguments = map(str, (owner, started(owner), self._mark))
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", str(Path(__file__)), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the whole group; the guard must stay
        )

    @contextmanager
    def marking(self) -> Iterator[None]:
        """Mark the processes that are started in this block, and all that they ever start."""
        with _marking:
            soft, hard = resource.getrlimit(_LOCKS)
            try:
                resource.setrlimit(_LOCKS, (self._mark, hard))
            except (OSError, ValueError):  # a sandbox's kernel that lets nobody set it
                logging.getLogger("rearank_cli").warning(
                    "this system has no limit on file locks to tell the engine's processes by; "
                    "if rearank is killed, they may live on"
                )
            try:
                yield
            finally:
                resource.setrlimit(_LOCKS, (soft, hard))

    def clear(self, seconds: float = PATIENCE) -> bool:
        """Kill the marked processes; tell whether they were gone in so many seconds.

        This process is spared, and so is multiprocessing's resource tracker, which serves the
        whole process and ends with it.
        """
        return kill(self._mark, seconds, lambda pid: pid != os.getpid() and not is_tracker(pid))

    def end(self, seconds: float = PATIENCE) -> bool:
        """Do what `clear` does and dismiss the guarding process; may be repeated."""
        gone = self.clear(seconds)
        if not gone:  # the kernel ends them as soon as a driver lets go of them
            logging.getLogger("rearank_cli").warning(
                "after %.0f s these processes of the engine are not gone: %s",
                seconds,
                sorted(marked(self._mark) - {os.getpid()}),
            )
        self._process.kill()
        self._process.wait()
        return gone


def started(pid: int) -> str:
    """Return when a process was started, in clock ticks, or nothing for one that is gone.

    Process ids are used again; an id and its start time are not. A zombie counts as gone.
    """
    with suppress(OSError):
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


def marked(mark: int) -> set[int]:
    """Return the ids of all living processes that carry a mark."""
    found = set()
    for entry in _PROC.iterdir():
        with suppress(ValueError, OSError):  # no process; gone meanwhile, or another user's
            pid = int(entry.name)
            if resource.prlimit(pid, _LOCKS)[0] == mark and started(pid):
                found.add(pid)
    return found


def is_tracker(pid: int) -> bool:
    """Tell whether a process is multiprocessing's resource tracker."""
    with suppress(OSError):
        return b"multiprocessing.resource_tracker" in (_PROC / str(pid) / "cmdline").read_bytes()
    return False


def kill(mark: int, seconds: float, condition: Callable[[int], bool] = lambda pid: True) -> bool:
    """Kill all processes with a mark that meet a condition; tell whether they went in time.

    What they start before they die is marked, too, and found by the next look.
    """
    until = time.monotonic() + seconds
    while found := set(filter(condition, marked(mark))):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


def watch(owner: int, start: str, mark: int) -> None:
    """Sleep until the process that was started at `start` is gone, then kill what is marked."""
    with suppress(OSError, ValueError):  # we may have been started inside another guard's block
        hard = resource.getrlimit(_LOCKS)[1]
        resource.setrlimit(_LOCKS, (hard, hard))
    try:
        gone = [os.pidfd_open(owner)]
    except OSError:  # gone already, or a kernel older than 5.3
        gone = []
    while started(owner) == start:
        select.select(gone, [], [], None if gone else _LOOK)
    kill(mark, PATIENCE, lambda pid: not is_tracker(pid))
    # Nobody holds its pipe any more: it unlinks what the killed have left in /dev/shm, and ends.
    until = time.monotonic() + TIDYING
    while marked(mark) and time.monotonic() < until:
        time.sleep(_PAUSE)
    kill(mark, PATIENCE)


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
