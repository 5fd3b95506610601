"""Several servers as one: the least loaded is asked, a dead one is left out and tried again."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

# A server that failed rests for this long, in seconds, doubling with each outage in a row.
FIRST_REST = 1.0
LONGEST_REST = 60.0
# A server is said to be given up when it fails again after its first rest; a single reset or 503
# is nothing to talk about.
GIVEN_UP = 2


@dataclass(slots=True)
class Server:
    """One server: requests in flight, outages in a row, and until when it rests.

    `given_up` says that people have been told that it is left out.
    """

    url: str
    in_flight: int = 0
    outages: int = 0
    rests_until: float = 0.0
    given_up: bool = False


class Servers:
    """Chooses a server for each request; `clock` tells seconds.

    `tell` hears when a server is given up and when it answers again.
    """

    def __init__(
        self,
        urls: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Start with all servers awake."""
        self.all = [Server(url.rstrip("/")) for url in urls]
        self._clock = clock
        self._tell = tell

    @contextmanager
    def lend(self) -> Iterator[tuple[Server, float]]:
        """Yield a server and the time, in seconds of the clock.

        It is the awake server with the fewest requests in flight; if all rest, the first up.
        """
        now = self._clock()
        server = min(
            self.all,
            key=lambda each: (max(each.rests_until - now, 0.0), each.in_flight, each.outages),
        )
        server.in_flight += 1
        try:
            yield server, now
        finally:
            server.in_flight -= 1

    def failed(self, server: Server, sent: float, cause: str) -> None:
        """Let a server rest after it could not be reached or broke down.

        `sent` is when the request was lent the server. What was in flight when an outage was
        noticed, or was sent while the server rested, met the same outage; it counts once.
        """
        if sent < server.rests_until:
            return
        server.outages += 1
        # A bounded exponent: floats end at 2**1024.
        rest = min(FIRST_REST * 2 ** min(server.outages - 1, 30), LONGEST_REST)
        server.rests_until = self._clock() + rest
        if server.outages >= GIVEN_UP:
            self.give_up(server, cause)

    def give_up(self, server: Server, cause: str) -> None:
        """Tell people, once an outage, that a server is left out."""
        if not server.given_up:
            server.given_up = True
            self._tell(f"{cause}; asked less often until it answers")

    def answered(self, server: Server) -> None:
        """Note that a server is well."""
        if server.given_up:
            self._tell(f"{server.url}: answers again")
        server.given_up = False
        server.outages = 0
        server.rests_until = 0.0
