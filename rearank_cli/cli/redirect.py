"""Keeping the output of engine libraries apart from ours: the `EngineLog` of the command line.

vLLM and its child processes write their log to file descriptor 1, where our run goes. Before the
first import both descriptors are pointed elsewhere, and `sys.stdout` and `sys.stderr` go on with
copies of the old ones, which child processes do not inherit. A process that is forked inherits
everything; there the copies are pointed elsewhere, too.
"""

import logging
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from rearank_cli.formats.cache import cache_dir

TAIL_BYTES = 64 * 1024
# Our copies of descriptors 1 and 2, by the descriptor that a forked process gets in its place.
_copies: list[tuple[int, int]] = []
# The streams of the process that forked us, which may hold half a line and a lock: never closed.
_inherited: list[TextIO] = []


def _take_away() -> None:
    """Leave a forked process nothing of our output but what it would have had when executed."""
    if not _copies:
        return
    for standard, copy in _copies:
        os.dup2(standard, copy, inheritable=False)
    _inherited.extend((sys.stdout, sys.stderr))
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, closefd=False)


os.register_at_fork(after_in_child=_take_away)


class EngineOutput:
    """Where an engine's output goes: a file that is kept only after a failure, or stderr."""

    def __init__(self, verbose: bool = False) -> None:
        """Say where it is to go; nothing is redirected before `begin`."""
        self.shown = verbose
        self._begun = False
        self.log: Path | None = None

    def begin(self) -> None:
        """Redirect descriptors 1 and 2 for the rest of this process's life."""
        if self._begun:
            return
        self._begun = True
        sys.stdout.flush()
        sys.stderr.flush()
        target = 2
        if not self.shown:
            target, name = tempfile.mkstemp(prefix="engine-", suffix=".log", dir=cache_dir("logs"))
            self.log = Path(name)
        copies = os.dup(1), os.dup(2)
        _copies.extend(enumerate(copies, 1))
        os.dup2(target, 1)
        if self.log:
            os.dup2(target, 2)
            os.close(target)
        # Loggers and warnings that nobody configured would find their way to the terminal.
        logging.basicConfig(stream=sys.__stderr__)
        logging.captureWarnings(True)
        sys.stdout = os.fdopen(copies[0], "w", encoding="utf-8", newline="\n")
        sys.stderr = os.fdopen(copies[1], "w", encoding="utf-8", buffering=1)

    def advice(self) -> str:
        """Return where to read more after a failure, with the log's last error line."""
        if self.log is None:
            return "the engine's own messages are above"
        cause = self._last_error()
        return f"{cause}\nhint: the engine's log is {self.log}" if cause else f"see {self.log}"

    def _last_error(self) -> str:
        """Return the log's last line that looks like a cause.

        A compiler's own message comes first: what Python says of it is only that it failed.
        """
        with suppress(OSError):
            if self.log is None:
                return ""
            lines = self.log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").splitlines()
            for speaker, mark in (("compiler", " fatal error: "), ("engine", "Error: ")):
                for line in reversed(lines):
                    _, found, message = line.partition(mark)
                    if found and "Engine core initialization failed" not in line:
                        return f"the {speaker} said: {message.strip()}"
        return ""

    def forget(self) -> None:
        """Remove the log of an engine that ended well."""
        if self.log:
            self.log.unlink(missing_ok=True)
