"""From a request to its answer: who waits, who left, what is counted and what is said of it."""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from rearank_cli.log import note, warn
from rearank_cli.serving.metrics import Metrics
from rearank_cli.serving.refusals import Refusal, refusal_of

T = TypeVar("T")
_AGAIN = 5
"""Seconds after which another server may be there."""
LEFT = 499
"""The status, common with proxies, of a request whose client left before the answer."""


class Left(Exception):
    """The client is gone: nobody reads an answer."""


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work of a request as long as its client is there; else cancel it and raise `Left`."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Left
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Handling:
    """Counts and reports requests; `texts` says whether their texts may be in the log."""

    def __init__(self, metrics: Metrics, texts: bool) -> None:
        """Take where to count."""
        self._metrics = metrics
        self.texts = texts

    async def handle(
        self,
        way: str,
        answer: Callable[[], Awaitable[Response]],
        refuse: Callable[[Refusal], Response],
    ) -> Response:
        """Return the answer, or the refusal that a failure is answered with."""
        began = time.monotonic()
        said = ""
        try:
            response = await answer()
        except Left:
            response = Response(status_code=LEFT)
        except asyncio.CancelledError:  # the grace is over
            response = refuse(
                Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping", wait=_AGAIN)
            )
        except Exception as error:  # noqa: BLE001  whatever it is, the server goes on
            refusal = refusal_of(error)
            said = self._said(error, refusal)
            response = refuse(refusal)
        seconds = time.monotonic() - began
        status = response.status_code
        self._metrics.request(way, status, seconds)
        note(f"{way} {status} {_phrase(status)}, {seconds:.2f} s{said}")
        return response

    def _said(self, error: Exception, refusal: Refusal) -> str:
        """Return what the log says of a failure; messages may quote a request's text."""
        if refusal.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            frames = "".join(traceback.format_tb(error.__traceback__))
            about = f": {error}" if self.texts else ""
            warn(f"an unforeseen {type(error).__name__}{about}\n{frames}".rstrip())
        return f": {refusal.message}" if self.texts else ""

    def asked(self, way: str, query: str, passages: list[str]) -> None:
        """Write a request's texts to the log, where that was asked for."""
        if self.texts:
            note(f"{way} asks {query!r} of {passages!r}")


def _phrase(status: int) -> str:
    return "client left" if status == LEFT else HTTPStatus(status).phrase
