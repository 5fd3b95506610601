"""Who is let in: a bounded number of requests at once, and when the others may come again."""

import itertools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from rearank_cli.serving.refusals import Refusal

LONGEST_WAIT = 60
"""Seconds after which a client that was turned away may come again, at most."""
_WEIGHT = 0.1
"""How much the latest request counts in the mean of their seconds."""


class Queue:
    """Counts the requests under way; `size` is how many there may be."""

    def __init__(self, size: int) -> None:
        """Start empty."""
        self.size = size
        self.under_way = 0
        self._numbers = itertools.count()
        self._seconds = 0.0

    @contextmanager
    def place(self) -> Iterator[int]:
        """Hold a place as long as the block runs; yield its number, which rises with each.

        Raises `Refusal` (429) when all places are taken.
        """
        if self.under_way >= self.size:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.size} requests are under way, which is all that this server takes at once",
                "come again after the seconds in Retry-After",
                self.wait,
            )
        self.under_way += 1
        began = time.monotonic()
        try:
            yield next(self._numbers)
        finally:
            self.under_way -= 1
            seconds = time.monotonic() - began
            known = self._seconds or seconds
            self._seconds = known + _WEIGHT * (seconds - known)

    @property
    def wait(self) -> int:
        """In how many seconds a place is likely to be free: what requests take, on average."""
        return min(max(math.ceil(self._seconds), 1), LONGEST_WAIT)
