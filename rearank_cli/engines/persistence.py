"""Asking servers until one answers: who is asked, how long between tries, and when it is enough."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import httpx

from rearank_cli.engines.quiet import Quiet
from rearank_cli.engines.replies import DELIBERATE, Retry
from rearank_cli.engines.servers import Server, Servers
from rearank_cli.errors import EngineError, EngineStartError
from rearank_cli.log import note

# Pauses between tries, in seconds: uniform in [0, min(FIRST * 2**n, LONGEST)] ("full jitter",
# M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015).
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
DELIBERATE_TRIES = 3
T = TypeVar("T")


class Persistence:
    """Tries a request on one server after the other until `deadline` seconds have passed.

    `retries` counts the tries that were repeated, by cause.
    """

    def __init__(self, servers: Servers, deadline: float) -> None:
        """Nothing has been tried yet."""
        self._servers = servers
        self._deadline = deadline
        self._quiet = Quiet(note)
        self.retries: Counter[str] = Counter()

    async def look(self, check: Callable[[Server], Awaitable[str]], hint: str) -> None:
        """See that the servers are there; `check` returns what is wrong with one, or nothing.

        Raises `EngineStartError` with the hint when something is wrong with all of them, and what
        `check` raises.
        """
        problems = await asyncio.gather(*map(check, self._servers.all))
        if all(problems):
            raise EngineStartError(f"no server answers: {'; '.join(filter(None, problems))}", hint)
        for server, problem in zip(self._servers.all, problems, strict=True):
            if problem:
                self._servers.give_up(server, problem)

    def unreachable(self, server: Server, problem: str) -> str:
        """Note that a server could not be reached when it was looked at; return why."""
        self._servers.failed(server, time.monotonic(), problem)
        return problem

    async def ask(self, post: Callable[[Server], Awaitable[T]]) -> tuple[T, float]:
        """Return what a server answers, and the seconds that it took, trying where that can help.

        `post` raises `Retry` for a try that failed. Raises `EngineError` when the deadline has
        passed, and whatever else `post` raises.
        """
        with self._quiet.waiting():
            return await self._persist(post)

    async def _persist(self, post: Callable[[Server], Awaitable[T]]) -> tuple[T, float]:
        until = time.monotonic() + self._deadline
        deliberate = 0
        for attempt in itertools.count():
            try:
                return await self._try(post)
            except Retry as error:
                failure = error
            self.retries[failure.cause] += 1
            self._quiet.failed(str(failure))
            deliberate += failure.ended in DELIBERATE
            if deliberate == DELIBERATE_TRIES:
                raise EngineError(
                    f"{failure}, {deliberate} times",
                    hint="an answer counts only when the model ends it, or its length does",
                ) from failure
            longest = min(FIRST_PAUSE * 2 ** min(attempt, 30), LONGEST_PAUSE)
            pause = failure.wait or random.uniform(0, longest)
            if time.monotonic() + pause > until:
                raise EngineError(
                    f"no answer within {self._deadline:.0f} s; last try: {failure}"
                ) from failure
            await asyncio.sleep(pause)
        raise AssertionError("counting has no end")

    async def _try(self, post: Callable[[Server], Awaitable[T]]) -> tuple[T, float]:
        """Ask the server whose turn it is, and note how it is."""
        with self._servers.lend() as (server, sent):
            began = time.perf_counter()
            try:
                found = await post(server)
            except Retry as error:
                if error.sick:
                    self._servers.failed(server, sent, str(error))
                raise
            self._servers.answered(server)
            self._quiet.answered()
            return found, time.perf_counter() - began

    def close(self) -> None:
        """Stop watching."""
        self._quiet.close()


def connections(
    headers: Mapping[str, str],
    timeout: float,
    kept: int,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return a client for many requests at once, each of at most `timeout` seconds."""
    return httpx.AsyncClient(
        headers=dict(headers),
        timeout=httpx.Timeout(timeout, connect=10.0, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=kept),
        transport=transport,
    )


def said(error: Exception) -> str:
    """Return what went wrong on the way to a server."""
    return f"{type(error).__name__}: {error}".rstrip(": ")
