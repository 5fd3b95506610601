"""Answers that a server sends piece by piece, as server-sent events of OpenAI's dialect."""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from rearank_cli.engines.base import ENOUGH, Heard
from rearank_cli.engines.dialects import is_openai
from rearank_cli.engines.replies import Retry, completion
from rearank_cli.engines.server_scores import path
from rearank_cli.records import Completion, Request

_REFUSED = {400, 404, 405, 422, 501}


def fields(url: str, said: Collection[str]) -> dict[str, Any]:
    """Return the fields that ask a server for pieces, but for those that the user has `said`.

    vLLM and SGLang tell with every piece how many tokens there are; OpenAI's own API refuses to be
    asked for that.
    """
    options = {"include_usage": True}
    if not is_openai(url):
        options["continuous_usage_stats"] = True
    found = {"stream": True, "stream_options": options}
    return {name: value for name, value in found.items() if name not in said}


class Unstreamed(Exception):
    """The server takes no requests for an answer in pieces."""


@dataclass(slots=True)
class _Answer:
    """What has come of an answer so far."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    pieces: int = 0

    def add(self, url: str, event: Mapping[str, Any]) -> bool:
        """Take an event; return whether it brought any text. Raises `Retry` for an error."""
        if event.get("error"):
            raise Retry(f"{url}: {str(event['error'])[:200]}", "broken stream")
        self.usage = event.get("usage") or self.usage
        choice = next(iter(event.get("choices") or []), None)
        if choice is None:
            return False
        # A piece of a plain text's completion has its text where that of a chat has a delta.
        delta = choice.get("delta") or {"content": choice.get("text")}
        text = delta.get("content") or ""
        thought = delta.get("reasoning_content") or delta.get("reasoning") or ""
        self.text += text
        self.reasoning += thought
        self.pieces += bool(text or thought)
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        return bool(text)

    @property
    def so_far(self) -> Completion:
        """The answer as far as it is written; where no tokens are told, a piece counts as one."""
        prompt = int(self.usage.get("prompt_tokens") or 0)
        tokens = int(self.usage.get("completion_tokens") or self.pieces)
        return Completion(self.text, self.reasoning, ENOUGH, prompt, tokens)

    def reply(self) -> httpx.Response:
        """Return the reply that a request for the whole answer would have got."""
        message = {"content": self.text, "reasoning_content": self.reasoning}
        choice = {"message": message, "finish_reason": self.finish_reason}
        return httpx.Response(200, json={"choices": [choice], "usage": self.usage})


async def told(
    client: httpx.AsyncClient, url: str, body: Mapping[str, Any], request: Request, heard: Heard
) -> Completion:
    """Post a request for pieces, tell `heard` of the answer meanwhile, and return it.

    Where that has enough, the connection is closed, which ends the answer. Raises `Unstreamed`,
    what `replies.completion` raises, and httpx's errors.
    """
    async with client.stream("POST", url + path(request), json=body) as reply:
        if "text/event-stream" not in reply.headers.get("content-type", ""):
            await reply.aread()
            if reply.status_code in _REFUSED and "stream" in reply.text:
                raise Unstreamed
            return completion(url, reply, request)
        answer = _Answer()
        async for line in _lines(reply):
            event = _event(url, line)
            if event is not None and answer.add(url, event) and answer.finish_reason is None:
                so_far = answer.so_far
                if heard(so_far):
                    return so_far
    return completion(url, answer.reply(), request)


async def _lines(reply: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the lines of a reply; only a line feed ends one, whatever else Unicode knows."""
    rest = b""
    async for piece in reply.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
    yield rest


def _event(url: str, line: bytes) -> Mapping[str, Any] | None:
    """Return the event on a line; None where there is none. Raises `Retry` for other data."""
    if not line.startswith(b"data:"):
        return None
    data = line.removeprefix(b"data:").strip()
    if data == b"[DONE]":
        return None
    try:
        event = json.loads(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise Retry(f"{url}: expected a piece of an answer, found other data", "broken stream")
    return event
