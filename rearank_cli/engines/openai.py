"""Any server with OpenAI's chat completions: vLLM, SGLang, llama.cpp, GPT."""

import asyncio
import itertools
import os
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from rearank_cli.engines.base import Ability, EngineSettings
from rearank_cli.engines.servers import Server, Servers
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong
from rearank_cli.records import Completion, Request

API_KEYS = ("REARANK_API_KEY", "OPENAI_API_KEY")
# Requests in flight per server; vLLM's own default for requests in one batch.
PER_SERVER = 256
# Pauses between tries, in seconds: uniform in [0, min(FIRST * 2**n, LONGEST)] ("full jitter",
# M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015).
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
RETRIED = {408, 409, 425, 429, *range(500, 600)}
_OPENAI = "api.openai.com"
_TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "input_tokens", "input_text"}


class _Retry(Exception):
    """This try failed, another one may not; `wait` is the pause the server asked for, if any."""

    def __init__(self, cause: str, wait: float = 0.0, sick: bool = True) -> None:
        super().__init__(cause)
        self.wait = wait
        self.sick = sick


class OpenAIEngine:
    """An `Engine` on one or several servers that serve the same model.

    Every prompt is tried until `deadline` seconds have passed; a try takes at most `timeout`.
    The API key comes from `REARANK_API_KEY` or `OPENAI_API_KEY`. `transport` is for tests.
    """

    abilities: frozenset[Ability] = frozenset(("chat",))
    # What OpenAI's and vLLM's servers return of `top_logprobs` unless told otherwise.
    most_choices = 20
    kv_tokens = 0
    reserved: Sequence[str] = ()  # a server does not tell; `text.STRUCTURE` covers common ones

    def __init__(
        self,
        settings: EngineSettings,
        urls: Sequence[str],
        timeout: float = 600.0,
        deadline: float = 1800.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember whom to ask; nothing is sent before `open`."""
        self._settings = settings
        self._name = settings.model.name
        self._servers = Servers(urls)
        self._timeout = timeout
        self._deadline = deadline
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._context = 0
        self.capacity = PER_SERVER * len(urls)

    def identity(self) -> Mapping[str, Any]:
        """Return what answers depend on beside the request."""
        return self._settings.identity()

    async def open(self) -> None:
        """See that the servers are there and serve the model.

        Raises `EngineStartError` when no server answers or one lacks the model.
        """
        key = next((os.environ[name] for name in API_KEYS if os.environ.get(name)), "")
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(self._timeout, connect=10.0, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=self.capacity),
            transport=self._transport,
        )
        problems = await asyncio.gather(*map(self._check, self._servers.all))
        if all(problems):
            raise EngineStartError(
                f"no server answers: {'; '.join(filter(None, problems))}",
                hint="is it running? --base-url ends in /v1, as in http://localhost:8000/v1",
            )

    async def _check(self, server: Server) -> str:
        """Return what is wrong with a server, or nothing; a wrong model is an error at once."""
        assert self._client is not None, "open has made the client"
        try:
            reply = await self._client.get(f"{server.url}/models", timeout=10.0)
        except httpx.HTTPError as error:
            self._servers.failed(server)
            return f"{server.url}: {_said(error)}"
        if reply.status_code in (401, 403):
            raise EngineStartError(
                f"{server.url}: {reply.status_code} {reply.reason_phrase}",
                hint=f"set {API_KEYS[0]} or {API_KEYS[1]} to your key",
            )
        served = _models(reply)
        if served and self._name not in served:
            raise EngineStartError(
                f"{server.url}: does not serve {self._name}",
                hint=f"--model is one of: {', '.join(list(served)[:10])}",
                exit_code=2,
            )
        self._context = int(served.get(self._name) or self._context)
        return ""

    async def complete(self, request: Request) -> Completion:
        """Answer one request, trying again where that can help.

        Raises `PromptTooLong`, or `EngineError` for what no repetition cures or when the
        deadline has passed.
        """
        until = time.monotonic() + self._deadline
        for attempt in itertools.count():
            with self._servers.lend() as server:
                try:
                    completion = await self._try(server, request)
                    self._servers.answered(server)
                    break
                except _Retry as error:
                    failure = error
                    if error.sick:
                        self._servers.failed(server)
            pause = failure.wait or random.uniform(0, min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE))
            if time.monotonic() + pause > until:
                raise EngineError(
                    f"no answer within {self._deadline:.0f} s; last try: {failure}"
                ) from failure
            await asyncio.sleep(pause)
        room = self._context - request.sampling.max_tokens
        if self._context and completion.prompt_tokens > room:
            # The server has cut the answer's length to what was left; so would not we.
            raise PromptTooLong(completion.prompt_tokens, room)
        return completion

    async def _try(self, server: Server, request: Request) -> Completion:
        assert self._client is not None, "open comes before complete"
        try:
            reply = await self._client.post(
                f"{server.url}/chat/completions", json=self._body(server, request)
            )
        except httpx.HTTPError as error:
            raise _Retry(f"{server.url}: {_said(error)}") from error
        if reply.status_code in RETRIED:
            raise _Retry(
                f"{server.url}: {reply.status_code} {reply.reason_phrase}",
                wait=_retry_after(reply),
                sick=reply.status_code != 429,
            )
        if reply.status_code != 200:
            raise _refusal(server, reply, self._context - request.sampling.max_tokens)
        try:
            return _completion(reply.json())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _Retry(f"{server.url}: expected a chat completion, found other data") from error

    def _body(self, server: Server, request: Request) -> dict[str, Any]:
        assert not isinstance(request.prompt, str), "this engine has no ability for plain text"
        sampling = request.sampling
        # OpenAI's newer models refuse max_tokens; many other servers know nothing else.
        limit = "max_completion_tokens" if _OPENAI in server.url else "max_tokens"
        body: dict[str, Any] = {
            "model": self._name,
            "messages": [message._asdict() for message in request.prompt],
            "temperature": sampling.temperature,
            limit: sampling.max_tokens,
        }
        if sampling.temperature:
            body["seed"] = sampling.seed
        if request.chat_template and _OPENAI not in server.url:
            body["chat_template_kwargs"] = dict(request.chat_template)
        return body

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            await client.aclose()


def _models(reply: httpx.Response) -> dict[str, int]:
    """Return the models that a server lists, with their context in tokens where it tells."""
    try:
        return {entry["id"]: entry.get("max_model_len") or 0 for entry in reply.json()["data"]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _completion(data: Mapping[str, Any]) -> Completion:
    choice = data["choices"][0]
    message, usage = choice["message"], data.get("usage") or {}
    return Completion(
        text=message.get("content") or "",
        reasoning=message.get("reasoning_content") or message.get("reasoning") or "",
        finish_reason=choice.get("finish_reason") or "stop",
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
    )


def _refusal(server: Server, reply: httpx.Response, room: int) -> EngineError:
    """Return the error for an answer that no repetition changes."""
    try:
        error = reply.json().get("error") or reply.json()
        message = str(error.get("message") or reply.text)
        kinds = {str(error.get(name)) for name in ("code", "type", "param")}
    except (ValueError, AttributeError):
        message, kinds = reply.text, set()
    # Servers older than the typed errors say it in OpenAI's words only.
    if kinds & _TOO_LONG or "maximum context length" in message:
        return PromptTooLong(0, max(room, 0))
    return EngineError(f"{server.url}: {reply.status_code}: {message[:300] or 'no message'}")


def _retry_after(reply: httpx.Response) -> float:
    try:
        return min(max(float(reply.headers.get("retry-after", "0")), 0.0), LONGEST_PAUSE)
    except ValueError:
        return 0.0


def _said(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
