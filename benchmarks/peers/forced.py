"""A server of chat completions between a client and vLLM, which sets how long answers are.

Every client shall get the same work done: how many tokens a window's answer has depends on its
query and on which window of the query it is, and on nothing else. vLLM generates so many
(`ignore_eos`); what it says is replaced by an order that every client reads alike. It counts what
is in flight.
"""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.rerank.real import QUERY
from benchmarks.rerank.simulation import answer_tokens

PASSAGE = re.compile(r"\[(\d+)\]")


@dataclass
class Seen:
    """What one client did: requests, the most in flight at once, when it began and ended."""

    requests: int = 0
    in_flight: int = 0
    most: int = 0
    begun: float = 0.0
    ended: float = 0.0
    windows: Counter[int] = field(default_factory=Counter)


class Forced:
    """The application; `seen` is of the client that is under way."""

    def __init__(self, behind: str, shorter: int) -> None:
        """Take the address of vLLM, and by what the paper's answer lengths are divided."""
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.AsyncClient(base_url=behind, timeout=None, limits=limits)
        self._shorter = shorter
        self.seen = Seen()
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
                Route("/{path:path}", self.forward, methods=["GET", "POST"]),
            ]
        )

    async def forward(self, request: Request) -> Response:
        """Pass on what is no chat completion, as it is."""
        reply = await self._client.request(
            request.method, request.url.path, content=await request.body()
        )
        return Response(reply.content, reply.status_code, media_type="application/json")

    async def complete(self, request: Request) -> Response:
        """Let vLLM write as many tokens as this window has; give back an order of all passages."""
        seen = self.seen
        seen.begun = seen.begun or time.perf_counter()
        seen.requests += 1
        seen.in_flight += 1
        seen.most = max(seen.most, seen.in_flight)
        try:
            return await self._complete(await request.json(), seen)
        finally:
            seen.in_flight -= 1
            seen.ended = time.perf_counter()

    async def _complete(self, body: dict[str, Any], seen: Seen) -> Response:
        text = body["messages"][-1]["content"]
        found = QUERY.search(" ".join(message["content"] for message in body["messages"]))
        assert found, f"no query in {text[-200:]!r}"
        query = int(found[1])
        window = seen.windows[query]
        seen.windows[query] += 1
        tokens = max(1, answer_tokens(query, window) // self._shorter)
        streamed = body.pop("stream", False)
        body.pop("stream_options", None)
        body.pop("max_completion_tokens", None)
        body |= {"max_tokens": tokens, "min_tokens": tokens, "ignore_eos": True}
        reply = await self._client.post("/v1/chat/completions", json=body)
        if reply.status_code != httpx.codes.OK:
            return Response(reply.content, reply.status_code, media_type="application/json")
        answer = reply.json()
        choice = answer["choices"][0]
        choice["message"]["content"] = order(body["messages"])
        choice["finish_reason"] = "stop"
        if not streamed:
            return JSONResponse(answer)
        choice["delta"] = choice.pop("message")
        answer["object"] = "chat.completion.chunk"
        told = f"data: {json.dumps(answer)}\n\ndata: [DONE]\n\n"
        return Response(told, media_type="text/event-stream")


def order(messages: list[dict[str, str]]) -> str:
    """Return all identifiers of a window backwards."""
    shown = max(int(each) for message in messages for each in PASSAGE.findall(message["content"]))
    return " > ".join(f"[{number}]" for number in range(shown, 0, -1))
