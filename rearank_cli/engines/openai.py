"""Any server with OpenAI's chat completions: vLLM, SGLang, llama.cpp, GPT."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

import httpx

from rearank_cli.engines.base import WRITING, Ability, EngineSettings, Heard
from rearank_cli.engines.dialects import Dialect, is_openai
from rearank_cli.engines.persistence import connections, said
from rearank_cli.engines.pieces import Unstreamed, fields, told
from rearank_cli.engines.remote import ServerEngine
from rearank_cli.engines.replies import Retry, completion
from rearank_cli.engines.served import Served, models_listed
from rearank_cli.engines.server_scores import path
from rearank_cli.engines.servers import Server
from rearank_cli.errors import EngineStartError, PromptTooLong
from rearank_cli.records import Completion, Request

API_KEYS = ("REARANK_API_KEY", "OPENAI_API_KEY")
# Requests in flight per server; vLLM's own default for requests in one batch.
PER_SERVER = 256


class OpenAIEngine(ServerEngine):
    """An `Engine` on one or several servers that serve the same model.

    The API key comes from `REARANK_API_KEY` or `OPENAI_API_KEY`. `abilities` are what such servers
    can do, though not all of them tell log-probabilities.
    """

    # What OpenAI's and vLLM's servers return of `top_logprobs` unless told otherwise.
    most_choices = 20

    def __init__(
        self,
        settings: EngineSettings,
        urls: Sequence[str],
        timeout: float = 600.0,
        deadline: float = 1800.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Remember whom to ask; nothing is sent before `open`."""
        super().__init__(settings, urls, timeout, deadline, transport)
        self._name = settings.model.name
        self._dialect = Dialect(self._name, settings.server_args)
        self._context = 0
        self._whole: set[str] = set()  # servers that send no pieces
        self.capacity = PER_SERVER * len(urls)
        # OpenAI's own API has no log-probabilities of what it is given, begins every answer itself,
        # and knows no regular expressions.
        few: frozenset[Ability] = frozenset(("chat", "choices"))
        self.abilities = few if any(map(is_openai, urls)) else WRITING

    async def open(self) -> None:
        """See that the servers are there and serve the model.

        Raises `EngineStartError` when no server answers or one lacks the model.
        """
        self._connected = connections(
            authorization(), self._timeout, self.capacity, self._transport
        )
        hint = "is it running? `base_urls` end in /v1, as in http://localhost:8000/v1"
        await self._persistence.look(self._check, hint)

    async def _check(self, server: Server) -> str:
        """Return what is wrong with a server, or nothing; a wrong model is an error at once."""
        try:
            reply = await self._client.get(f"{server.url}/models", timeout=10.0)
        except httpx.HTTPError as error:
            return self._persistence.unreachable(server, f"{server.url}: {said(error)}")
        self._context = check_listed(server.url, reply, self._name).context or self._context
        return ""

    async def complete(self, request: Request) -> Completion:
        """Answer one request, trying again where that can help.

        Raises `PromptTooLong`, or `EngineError` for what no repetition cures or when the
        deadline has passed.
        """
        return await self._complete(request, None)

    async def stream(self, request: Request, heard: Heard) -> Completion:
        """Do the same, and tell `heard` of it meanwhile where the server can; see `Streaming`."""
        return await self._complete(request, heard)

    async def _complete(self, request: Request, heard: Heard | None) -> Completion:
        answered, seconds = await self._persistence.ask(
            lambda server: self._post(server, request, heard)
        )
        found = replace(answered, seconds=seconds)
        room = self._context - (1 if request.continuation else request.sampling.max_tokens)
        if self._context and found.prompt_tokens > room:
            # The server has cut the answer's length to what was left; so would not we.
            raise PromptTooLong(found.prompt_tokens, room)
        return found

    async def _post(self, server: Server, request: Request, heard: Heard | None) -> Completion:
        body = self._dialect.body(server.url, request)
        try:
            fixed = self._settings.server_args
            if heard is not None and "stream" not in fixed and server.url not in self._whole:
                try:
                    async with asyncio.timeout(self._timeout):
                        asked = {**fields(server.url, fixed), **body}
                        return await told(self._client, server.url, asked, request, heard)
                except Unstreamed:
                    self._whole.add(server.url)
            reply = await self._client.post(server.url + path(request), json=body)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Retry(f"{server.url}: {said(error)}", type(error).__name__) from error
        return completion(server.url, reply, request)


def check_listed(url: str, reply: httpx.Response, name: str) -> Served:
    """Return what a server lists of a model; raise `EngineStartError` where it lacks it.

    So it does where it wants another key. A server that lists nothing may have it.
    """
    check_key(url, reply)
    served = models_listed(reply)
    if served and name not in served:
        raise EngineStartError(
            f"{url}: does not serve {name}",
            hint=f"`model` is one of: {', '.join(list(served)[:10])}",
            exit_code=2,
        )
    return served.get(name, Served(name))


def check_key(url: str, reply: httpx.Response) -> None:
    """Raise `EngineStartError` where a server wants another key."""
    if reply.status_code in (401, 403):
        raise EngineStartError(
            f"{url}: {reply.status_code} {reply.reason_phrase}",
            hint=f"set {API_KEYS[0]} or {API_KEYS[1]} to your key",
        )


def authorization() -> dict[str, str]:
    """Return the header with the user's API key, if there is one."""
    key = next((os.environ[name] for name in API_KEYS if os.environ.get(name)), "")
    return {"Authorization": f"Bearer {key}"} if key else {}
