"""Several servers as one: the least loaded is asked, a dead one is left out and tried again."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

# A server that failed rests for this long, in seconds, doubling with each failure in a row.
FIRST_REST = 1.0
LONGEST_REST = 60.0


@dataclass(slots=True)
class Server:
    """One server: requests in flight, failures in a row, and until when it rests."""

    url: str
    in_flight: int = 0
    failures: int = 0
    rests_until: float = 0.0


class Servers:
    """Chooses a server for each request; `clock` tells seconds."""

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Start with all servers awake."""
        self.all = [Server(url.rstrip("/")) for url in urls]
        self._clock = clock

    @contextmanager
    def lend(self) -> Iterator[Server]:
        """Yield the awake server with the fewest requests in flight; if all rest, the first up."""
        now = self._clock()
        server = min(
            self.all,
            key=lambda each: (max(each.rests_until - now, 0.0), each.in_flight, each.failures),
        )
        server.in_flight += 1
        try:
            yield server
        finally:
            server.in_flight -= 1

    def failed(self, server: Server) -> None:
        """Let a server rest after it could not be reached or broke down."""
        server.failures += 1
        rest = min(FIRST_REST * 2 ** (server.failures - 1), LONGEST_REST)
        server.rests_until = self._clock() + rest

    def answered(self, server: Server) -> None:
        """Note that a server is well."""
        server.failures = 0
        server.rests_until = 0.0
