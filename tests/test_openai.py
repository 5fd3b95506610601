import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.openai import OpenAIEngine
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong
from rearank_cli.records import Completion, Message, Request, Sampling

pytestmark = pytest.mark.usefixtures("no_pauses")

URL = "http://host/v1"
PROMPT = (Message("user", "hello"),)
Handler = Callable[[httpx.Request], httpx.Response]


def said(
    text: str | None = "[1]", finish_reason: str | None = "stop", **message: Any
) -> httpx.Response:
    choice = {"message": {"content": text, **message}, "finish_reason": finish_reason}
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
        settings = EngineSettings(
            Model(options.pop("model", "m")), server_args=options.pop("server_args", {})
        )
        sampling = options.pop("sampling", Sampling(50))
        request = Request(PROMPT, sampling, options.pop("template", {}))
        engine = OpenAIEngine(settings, urls, transport=httpx.MockTransport(handler), **options)
        try:
            await engine.open()
            return await engine.complete(request)
        finally:
            await engine.close()

    return asyncio.run(main())


def test_a_completion_and_the_request_for_it() -> None:
    server = Server(said("<answer>[1]</answer>"))
    found = ask(server, template={"enable_thinking": True})
    assert replace(found, seconds=0.0) == Completion("<answer>[1]</answer>", "", "stop", 11, 3)
    assert found.seconds > 0
    (request,) = server.requests
    assert str(request.url) == f"{URL}/chat/completions"
    assert json.loads(request.content) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.0,
        "max_tokens": 50,
        "top_p": 1.0,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
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
        said("[3", "abort"),
        said("[3", "error"),
        said("[3", "repetition"),
        said("[3", None),
        said("[3", "content_filter"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("reset"),
    ],
)
def test_what_may_pass_is_tried_again(trouble: httpx.Response | Exception) -> None:
    server = Server(trouble, trouble, said("[1]"))
    assert ask(server).text == "[1]"
    assert len(server.requests) == 3


@pytest.mark.parametrize("ended", ["content_filter", "tool_calls", "function_call"])
def test_an_end_that_the_prompt_brings_about_is_no_answer_and_not_tried_for_ever(
    ended: str,
) -> None:
    server = Server(said("[3", ended))
    with pytest.raises(EngineError, match=f"the answer ended with {ended}, 3 times"):
        ask(server)
    assert len(server.requests) == 3


def test_an_answer_that_was_cut_at_its_limit_is_an_answer() -> None:
    assert ask(Server(said("[3", "length"))).finish_reason == "length"


def test_tries_are_counted_by_cause() -> None:
    abort, slow = said("[", "abort"), httpx.ReadTimeout("slow")
    server = Server(failed(503), failed(429), abort, slow, failed(503), said())

    async def main() -> dict[str, int]:
        engine = OpenAIEngine(
            EngineSettings(Model("m")), (URL,), transport=httpx.MockTransport(server)
        )
        await engine.open()
        await engine.complete(Request(PROMPT, Sampling(50)))
        await engine.close()
        return dict(engine.retries)

    assert asyncio.run(main()) == {"503": 2, "429": 1, "abort": 1, "ReadTimeout": 1}


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
    ],
)
def test_a_prompt_too_long_is_told_apart_by_its_type(error: dict[str, Any]) -> None:
    with pytest.raises(PromptTooLong) as caught:
        ask(Server(failed(400, error)))
    assert (caught.value.tokens, caught.value.limit) == (0, 0)
    assert caught.value.message == "the prompt does not fit: too long"


@pytest.mark.parametrize(
    ("message", "tokens", "limit"),
    [
        # the message of the answer, the prompt's tokens, the longest prompt beside 50 tokens
        ("This model's maximum context length is 4096 tokens.", 0, 4046),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 "
            "tokens. Please reduce the length.",
            4950,
            4046,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5050 "
            "tokens (5000 in the messages, 50 in the completion).",
            5000,
            4046,
        ),
        (
            "This model's maximum context length is 2048 tokens. However, you requested 50 output "
            "tokens and your prompt contains at least 2010 input tokens, for a total of 2060.",
            2010,
            1998,
        ),
        (
            "This model's maximum context length is 128000 tokens. However, your messages "
            "resulted in 202868 tokens.",
            202868,
            127950,
        ),
        (
            "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
            9000,
            8142,
        ),
        (
            "Requested token count exceeds the model's maximum context length of 8192 tokens. You "
            "requested a total of 8200 tokens: 8150 tokens from the input messages and 50 tokens "
            "for the completion.",
            8150,
            8142,
        ),
        (
            "Input length (9000 tokens) exceeds the maximum allowed length (5986 tokens).",
            9000,
            5986,
        ),
        ("request (9412 tokens) exceeds the available context size (8192 tokens)", 9412, 8142),
        (
            "The decoder prompt (length 3000) is longer than the maximum model length of 2048.",
            3000,
            1998,
        ),
        (
            "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
            40000,
            32718,
        ),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_the_numbers_of_a_refusal_are_the_servers(
    message: str, tokens: int, limit: int, nested: bool
) -> None:
    error = {"object": "error", "message": message, "type": "BadRequestError", "code": 400}
    reply = failed(400, error) if nested else httpx.Response(400, json=error)
    with pytest.raises(PromptTooLong) as caught:
        ask(Server(reply))
    assert (caught.value.tokens, caught.value.limit) == (tokens, limit)


def test_numbers_that_come_as_fields_are_read() -> None:
    error = {"message": "too long", "type": "exceed_context_size_error"}
    with pytest.raises(PromptTooLong) as caught:
        ask(Server(failed(400, {**error, "n_prompt_tokens": 1407, "n_ctx": 256})))
    assert (caught.value.tokens, caught.value.limit) == (1407, 206)


@pytest.mark.parametrize(
    ("error", "field"),
    [
        ({"message": "Unsupported parameter: 'temperature' is not supported."}, "temperature"),
        ({"message": "Extra inputs are not permitted", "param": "top_k"}, "top_k"),
        ({"message": "Unrecognized request argument supplied: min_p"}, "min_p"),
    ],
)
def test_a_field_that_a_server_refuses_is_named_with_the_way_out(
    error: dict[str, str], field: str
) -> None:
    with pytest.raises(EngineError) as caught:
        ask(Server(failed(400, error)))
    assert caught.value.hint == f"`server_args` {field}= leaves {field} out of every request"
    server = Server(said())
    ask(server, server_args={field: None, "reasoning_effort": "low"})
    body = json.loads(server.requests[0].content)
    assert field not in body
    assert body["reasoning_effort"] == "low"


def test_openai_gets_only_what_it_knows() -> None:
    server = Server(said())
    ask(server, ("https://api.openai.com/v1",), sampling=Sampling(50, 0.5, 7, 0.9))
    assert json.loads(server.requests[0].content) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "max_completion_tokens": 50,
        "top_p": 0.9,
        "seed": 7,
    }


@pytest.mark.parametrize("name", ["top_k", "min_p", "repetition_penalty"])
def test_sampling_that_openai_does_not_know_is_an_error_and_not_left_out(name: str) -> None:
    sampling = Sampling(50, **{name: 1 if name == "top_k" else 0.5})  # type: ignore[arg-type]
    with pytest.raises(EngineStartError, match=f"api.openai.com knows no {name}"):
        ask(Server(said()), ("https://api.openai.com/v1",), sampling=sampling)


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


def test_a_server_that_is_down_from_the_start_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "dead":
            raise httpx.ConnectError("refused")
        return Server(said())(request)

    with caplog.at_level("INFO", "rearank_cli"):
        ask(handler, ("http://dead/v1", "http://alive/v1"))
    assert caplog.messages == [
        "http://dead/v1: ConnectError: refused; asked less often until it answers"
    ]


def test_retry_after_in_any_shape_ends_in_a_pause() -> None:
    for wait in ("nan", "inf", "-5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"):
        server = Server(failed(429, None, **{"retry-after": wait}), said())
        assert ask(server).text == "[1]"


def test_more_tries_than_floats_have_exponents() -> None:
    server = Server(*[failed(503)] * 1100, said())
    assert ask(server).text == "[1]"
    assert len(server.requests) == 1101


def test_no_server_at_all_is_found_before_the_work() -> None:
    with pytest.raises(EngineStartError, match="no server answers: http://host/v1: ConnectError"):
        ask(refuse)


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def test_a_model_that_is_not_served_is_found_before_the_work() -> None:
    with pytest.raises(EngineStartError) as caught:
        ask(Server(said()), model="other")
    assert "does not serve other" in caught.value.message
    assert caught.value.hint == "`model` is one of: m"
    assert caught.value.exit_code == 2


def test_a_wrong_key_is_found_before_the_work() -> None:
    with pytest.raises(EngineStartError) as caught:
        ask(lambda request: httpx.Response(401))
    assert "REARANK_API_KEY" in caught.value.hint


def test_a_server_without_a_list_of_models_is_asked_all_the_same() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path.endswith("/models") else said("[2]")

    assert ask(handler).text == "[2]"
