import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rearank_cli.engines import openai
from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.openai import OpenAIEngine
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong
from rearank_cli.records import Completion, Message, Request, Sampling

URL = "http://host/v1"
PROMPT = (Message("user", "hello"),)
Handler = Callable[[httpx.Request], httpx.Response]


def said(text: str | None = "[1]", **message: Any) -> httpx.Response:
    choice = {"message": {"content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 3}
    return httpx.Response(200, json={"choices": [choice], "usage": usage})


def failed(status: int, error: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": error or {"message": "no"}}, headers=headers)


class Server:
    """Answers chat requests with one reply after the other, the last one for ever."""

    def __init__(self, *replies: httpx.Response | Exception, context: int | None = None) -> None:
        self.replies = list(replies)
        self.context = context
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "m", "max_model_len": self.context}]})
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)


def ask(handler: Handler, urls: tuple[str, ...] = (URL,), **options: Any) -> Completion:
    async def main() -> Completion:
        settings = EngineSettings(Model(options.pop("model", "m")))
        request = Request(PROMPT, Sampling(50), options.pop("template", {}))
        engine = OpenAIEngine(settings, urls, transport=httpx.MockTransport(handler), **options)
        try:
            await engine.open()
            return await engine.complete(request)
        finally:
            await engine.close()

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(openai, "LONGEST_PAUSE", 0.0)
    for name in openai.API_KEYS:
        monkeypatch.delenv(name, raising=False)


def test_a_completion_and_the_request_for_it() -> None:
    server = Server(said("<answer>[1]</answer>"))
    found = ask(server, template={"enable_thinking": True})
    assert found == Completion("<answer>[1]</answer>", "", "stop", 11, 3)
    (request,) = server.requests
    assert str(request.url) == f"{URL}/chat/completions"
    assert json.loads(request.content) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.0,
        "max_tokens": 50,
        "chat_template_kwargs": {"enable_thinking": True},
    }
    assert "authorization" not in request.headers


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server = Server(said())
    ask(server)
    assert server.requests[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_that_comes_apart_is_kept(field: str) -> None:
    found = ask(Server(said(None, **{field: "thoughts"})))
    assert (found.text, found.reasoning) == ("", "thoughts")


@pytest.mark.parametrize(
    "trouble",
    [
        failed(429, None, **{"retry-after": "0"}),
        failed(500),
        failed(503),
        failed(408),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json=["nothing"]),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("reset"),
    ],
)
def test_what_may_pass_is_tried_again(trouble: httpx.Response | Exception) -> None:
    server = Server(trouble, trouble, said("[1]"))
    assert ask(server).text == "[1]"
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    server = Server(failed(status, {"message": "you asked for 3 things"}))
    with pytest.raises(EngineError) as caught:
        ask(server)
    assert f"{status}: you asked for 3 things" in caught.value.message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "too long", "code": "context_length_exceeded"},
        {"message": "too long", "type": "exceed_context_size_error"},
        {"message": "too long", "type": "BadRequestError", "param": "input_tokens", "code": 400},
        {"message": "This model's maximum context length is 4096 tokens.", "code": 400},
    ],
)
def test_a_prompt_too_long_is_told_apart_by_its_type(error: dict[str, Any]) -> None:
    with pytest.raises(PromptTooLong):
        ask(Server(failed(400, error)))


def test_a_server_that_cut_the_room_for_the_answer_is_not_believed() -> None:
    with pytest.raises(PromptTooLong) as caught:
        ask(Server(said(), context=60))
    assert (caught.value.tokens, caught.value.limit) == (11, 10)


def test_the_deadline_ends_the_tries() -> None:
    server = Server(failed(500))
    with pytest.raises(EngineError, match="no answer within 0 s; last try: http://host/v1: 500"):
        ask(server, deadline=0.0001)
    assert server.requests


def test_a_dead_server_is_left_out() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "dead":
            raise httpx.ConnectError("refused")
        asked.append(request.url.path)
        return Server(said())(request)

    assert ask(handler, ("http://dead/v1", "http://alive/v1")).text == "[1]"
    assert asked == ["/v1/models", "/v1/chat/completions"]


def test_no_server_at_all_is_found_before_the_work() -> None:
    with pytest.raises(EngineStartError, match="no server answers: http://host/v1: ConnectError"):
        ask(refuse)


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def test_a_model_that_is_not_served_is_found_before_the_work() -> None:
    with pytest.raises(EngineStartError) as caught:
        ask(Server(said()), model="other")
    assert "does not serve other" in caught.value.message
    assert caught.value.hint == "--model is one of: m"
    assert caught.value.exit_code == 2


def test_a_wrong_key_is_found_before_the_work() -> None:
    with pytest.raises(EngineStartError) as caught:
        ask(lambda request: httpx.Response(401))
    assert "REARANK_API_KEY" in caught.value.hint


def test_a_server_without_a_list_of_models_is_asked_all_the_same() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path.endswith("/models") else said("[2]")

    assert ask(handler).text == "[2]"
