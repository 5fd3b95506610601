"""What stands before every handler: the key, the host's name, and bodies of a bounded size."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from rearank_cli.serving.auth import Keys, check_host
from rearank_cli.serving.refusals import Refusal
from rearank_cli.serving.replies import Reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset(("/health", "/"))
"""Paths that need no key here: whether the server is well, and the page, whose form has one."""
READING = 60.0
"""Seconds that a body may take to arrive."""


class Inbound:
    """Answers requests that must not reach the app, and hands on the others with their bodies."""

    def __init__(
        self, app: App, keys: Keys, longest: int, local: bool, refused: Callable[[str, int], None]
    ) -> None:
        """Take the keys, the longest body in bytes, and whether only this machine may ask.

        `refused` hears the path and the status of what is not handed on.
        """
        self._refused = refused
        self._app = app
        self._keys = keys
        self._longest = longest
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, read, hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            headers = dict(scope["headers"])
            if self._local:
                check_host(headers.get(b"host", b"").decode("latin-1"))
            if scope["path"] not in OPEN:
                self._keys.check(headers.get(b"authorization", b""))
            if scope["method"] == "POST":
                receive = await self._read(headers.get(b"content-length", b""), receive)
        except Refusal as refusal:
            self._refused(scope["path"], int(refusal.status))
            # What has not been read of the body would be taken for the next request.
            headers_out = {**refusal.headers, "Connection": "close"}
            reply = Reply(refusal.body(), refusal.status, headers_out)
            await reply(scope, receive, send)
            return
        except _Gone:
            return
        await self._app(scope, receive, send)

    async def _read(self, declared: bytes, receive: Receive) -> Receive:
        """Read the body and return what gives it, and then what comes after it."""
        if declared.isdigit() and int(declared) > self._longest:
            raise self._too_long()
        try:
            async with asyncio.timeout(READING):
                body = await self._whole(receive)
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def next_message() -> Message:
            return waiting.pop() if waiting else await receive()

        return next_message

    async def _whole(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._longest:
                raise self._too_long()
            if not message.get("more_body"):
                return b"".join(parts)

    def _too_long(self) -> Refusal:
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"expected a body of at most {self._longest:,} bytes",
            "send fewer or shorter documents",
        )


class _Gone(Exception):
    """The client left before its body was there."""
