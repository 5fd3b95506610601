"""Answers that servers send piece by piece."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_openai import PROMPT, URL, Server, failed, said

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.openai import OpenAIEngine
from rearank_cli.engines.pieces import fields
from rearank_cli.errors import EngineError, PromptTooLong
from rearank_cli.records import Completion, Request, Sampling

pytestmark = pytest.mark.usefixtures("no_pauses")


class Bytes(httpx.AsyncByteStream):
    """Sends some bytes in pieces of one size; notes whether it was closed before the end."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size = data, size
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent < len(self.data):
            piece = self.data[self.sent : self.sent + self.size]
            self.sent += len(piece)
            yield piece


def event(delta: dict[str, Any] | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{"delta": delta, "finish_reason": more.pop("end", None)}]
    return f"data: {json.dumps({'choices': choices, **more}, ensure_ascii=False)}\n\n"


def events(text: str, end: str | None = "stop", reasoning: str = "") -> str:
    parts = [event({"role": "assistant", "content": ""})]
    parts += [event({"reasoning_content": each}) for each in reasoning]
    parts += [event({"content": each}) for each in text]
    parts += [": a comment\n\n", event({}, end=end)]
    parts += [event(None, usage={"prompt_tokens": 11, "completion_tokens": 3})]
    return "".join(parts) + "data: [DONE]\n\n"


class Streams(Server):
    """Answers with streams of events; other replies are as they are."""

    def __init__(self, *replies: Any, size: int = 7) -> None:
        super().__init__(*[each for each in replies if not isinstance(each, str)] or [said()])
        self.mixed = list(replies)
        self.size = size
        self.streams: list[Bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/models"):
            return super().__call__(request)
        self.requests.append(request)
        reply = self.mixed.pop(0) if len(self.mixed) > 1 else self.mixed[0]
        if isinstance(reply, Exception):
            raise reply
        if not isinstance(reply, str):
            return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)
        self.streams.append(Bytes(reply.encode(), self.size))
        kind = {"content-type": "text/event-stream; charset=utf-8"}
        return httpx.Response(200, stream=self.streams[-1], headers=kind)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]


def hear(
    handler: Streams, enough: int = 10**9, times: int = 1, **server_args: Any
) -> tuple[Completion, list[Completion]]:
    """Ask and listen until so many characters are there; return the answer and what was heard."""
    heard: list[Completion] = []

    def listen(so_far: Completion) -> bool:
        heard.append(so_far)
        return len(so_far.text) >= enough

    async def main() -> Completion:
        model = EngineSettings(Model("m"), server_args=server_args)
        engine = OpenAIEngine(model, [URL], deadline=1, transport=httpx.MockTransport(handler))
        try:
            await engine.open()
            for _ in range(times):
                found = await engine.stream(Request(PROMPT, Sampling(50)), listen)
            return found
        finally:
            await engine.close()

    return replace(asyncio.run(main()), seconds=0.0), heard


@settings(deadline=None)
@given(st.text(max_size=20), st.integers(1, 50))
def test_an_answer_in_pieces_is_the_answer(text: str, size: int) -> None:
    found, heard = hear(Streams(events(text, reasoning="so"), size=size))
    assert found == Completion(text, "so", "stop", 11, 3)
    # Whether text is told is a matter of the answer's, reasoning is told with it.
    assert [each.text for each in heard] == [text[: at + 1] for at in range(len(text))]
    assert all(each.reasoning == "so" for each in heard)


def test_what_is_enough_ends_there_and_the_connection_with_it() -> None:
    server = Streams(events("[2] > [1] > [3]" + " and so on" * 500))
    found, _ = hear(server, enough=9)
    assert found == Completion("[2] > [1]", "", "enough", 0, 9)
    assert server.streams[0].sent < len(server.streams[0].data) / 10
    assert server.bodies[0]["stream"] is True
    told = {"include_usage": True, "continuous_usage_stats": True}
    assert server.bodies[0]["stream_options"] == told
    assert fields("https://api.openai.com/v1", {"model"}) == {
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_tokens_that_are_told_meanwhile_are_those_of_what_was_ended() -> None:
    usage = {"prompt_tokens": 900, "completion_tokens": 5}
    pieces = [event({"content": text}, usage=usage) for text in ("[2] >", " [1]", " > [3]")]
    found, _ = hear(Streams("".join(pieces), size=1000), enough=9)
    assert found == Completion("[2] > [1]", "", "enough", 900, 5)


def test_a_server_that_sends_no_pieces_is_taken_as_it_is() -> None:
    found, heard = hear(Streams(said("[1]")))
    assert (found, heard) == (Completion("[1]", "", "stop", 11, 3), [])


def test_a_server_that_refuses_pieces_is_asked_for_the_whole_from_then_on() -> None:
    refusing = failed(400, {"message": "Unrecognized request argument: stream_options"})
    server = Streams(refusing, said("[1]"))
    found, heard = hear(server, times=2)
    assert (found.text, heard) == ("[1]", [])
    assert ["stream" in body for body in server.bodies] == [True, False, False]


def test_fields_that_the_user_sets_are_his() -> None:
    server = Streams(events("[1]"))
    hear(server, stream_options=None)
    assert server.bodies[0]["stream"] is True and "stream_options" not in server.bodies[0]
    server = Streams(said("[1]"))
    hear(server, stream=None)
    assert "stream" not in server.bodies[0]


@pytest.mark.parametrize(
    "broken",
    [
        events("[1", end=None),
        "data: {",
        "data: [1]\n\n",
        'data: {"error": {"message": "out of memory"}}\n\n',
        failed(503),
        httpx.ReadError("reset"),
    ],
)
def test_a_broken_stream_is_tried_again(broken: Any) -> None:
    server = Streams(broken, events("[2] > [1]"))
    found, heard = hear(server)
    assert found.text == "[2] > [1]" and heard[-1].text == "[2] > [1]"
    assert len(server.requests) == 2


def test_refusals_are_told_as_ever() -> None:
    with pytest.raises(PromptTooLong):
        hear(Streams(failed(400, {"message": "maximum context length is 4096 tokens"})))
    with pytest.raises(EngineError, match="401"):
        hear(Streams(failed(401, {"message": "no key"})))
