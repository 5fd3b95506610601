"""A word when servers have been silent for long, so that waiting is no riddle."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds without an answer before something is said; the next word comes after twice as long.
QUIET = 60.0


class Quiet:
    """Watches over requests in flight; `tell` hears when none has been answered for long."""

    def __init__(
        self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Watch over nothing yet; `clock` tells seconds."""
        self._tell = tell
        self._clock = clock
        self._waiting = 0
        self._since = 0.0
        self._next = QUIET
        self._failure = ""
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count a request as in flight as long as the block runs."""
        if not self._waiting:
            self._begin()
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.close()

    def answered(self) -> None:
        """Note that a server has answered."""
        self._since, self._next, self._failure = self._clock(), QUIET, ""

    def failed(self, text: str) -> None:
        """Keep what went wrong last."""
        self._failure = text

    def close(self) -> None:
        """Stop watching."""
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def look(self) -> None:
        """Say a word if it is time."""
        silent = self._clock() - self._since
        if silent < self._next:
            return
        last = f"; last try: {self._failure}" if self._failure else ""
        waiting = f"{self._waiting} request{' waits' if self._waiting == 1 else 's wait'}"
        self._tell(f"no answer for {silent:.0f} s; {waiting}{last}")
        self._next *= 2

    def _begin(self) -> None:
        self.answered()
        self._schedule()

    def _schedule(self) -> None:
        # A timer may ring a little early; never spin.
        pause = max(self._since + self._next - self._clock(), QUIET / 60)
        self._timer = asyncio.get_running_loop().call_later(pause, self._ring)

    def _ring(self) -> None:
        self.look()
        self._schedule()
