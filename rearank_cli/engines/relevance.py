"""Servers that score pairs of query and passage: vLLM, text-embeddings-inference, Cohere, Jina."""

import json
from collections.abc import Sequence

import httpx

from rearank_cli.engines.base import Ability, EngineSettings
from rearank_cli.engines.endpoints import (
    MOST,
    Endpoint,
    Scores,
    check_reply,
    find_endpoint,
    models_url,
    read_scores,
)
from rearank_cli.engines.gathering import Gathering
from rearank_cli.engines.openai import authorization, check_listed
from rearank_cli.engines.persistence import connections, said
from rearank_cli.engines.remote import ServerEngine
from rearank_cli.engines.replies import Retry
from rearank_cli.engines.servers import Server
from rearank_cli.records import Completion, Request

# Pairs in flight per server: some queries of the usual depth.
PER_SERVER = 5 * MOST


class RelevanceEngine(ServerEngine):
    """An `Engine` on one or several servers that score with the same model.

    All passages of a query that are wanted at about the same time are sent together. The API key
    comes from the variables that `openai` reads.
    """

    most_choices = 0
    abilities: frozenset[Ability] = frozenset(("relevance",))

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
        self._gathering = Gathering(self._together, MOST)
        self._endpoints: dict[str, Endpoint] = {}
        self.capacity = PER_SERVER * len(urls)

    async def open(self) -> None:
        """See that the servers are there, how they want to be asked, and that they have the model.

        Raises `EngineStartError` when no server answers, or one does not score with the model.
        """
        self._connected = connections(
            authorization(), self._timeout, self.capacity // MOST, self._transport
        )
        await self._persistence.look(self._check, "is it running? `rerank_urls` are its address")

    async def _check(self, server: Server) -> str:
        """Return what is wrong with a server, or nothing; one that does not score is an error."""
        try:
            await self._known(server)
        except httpx.HTTPError as error:
            return self._persistence.unreachable(server, f"{server.url}: {said(error)}")
        except Retry as error:
            return self._persistence.unreachable(server, str(error))
        return ""

    async def _known(self, server: Server) -> Endpoint:
        """Return the server's endpoint, looked for once."""
        if server.url not in self._endpoints:
            name = self._settings.model.name
            listed = await self._client.get(f"{models_url(server.url)}/models", timeout=10.0)
            if listed.status_code == 200:
                check_listed(server.url, listed, name)
            found = await find_endpoint(self._client, server.url, name)
            self._endpoints[server.url] = found
        return self._endpoints[server.url]

    async def complete(self, request: Request) -> Completion:
        """Answer one request with a number, trying again where that can help.

        Raises `PromptTooLong` for a passage that the model cannot hold, `EngineError` for what no
        repetition cures or when the deadline has passed.
        """
        return await self._gathering.complete(request)

    async def _together(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """Score passages of one query; the tokens of all are shared out by length."""
        query, passages = str(requests[0].prompt), [each.passage for each in requests]
        found, seconds = await self._persistence.ask(
            lambda server: self._scored(server, query, passages)
        )
        shares = shared_out(found.tokens, [len(query) + len(each) for each in passages])
        return [
            Completion(json.dumps(value), prompt_tokens=tokens, seconds=seconds / len(passages))
            for value, tokens in zip(found.values, shares, strict=True)
        ]

    async def _scored(self, server: Server, query: str, passages: Sequence[str]) -> Scores:
        settings, scores = self._settings, Scores()
        try:
            endpoint = await self._known(server)
            for start in range(0, len(passages), endpoint.most):
                part = passages[start : start + endpoint.most]
                body = endpoint.body(settings.model.name, query, part, settings.server_args)
                reply = await self._client.post(endpoint.url, json=body)
                check_reply(endpoint, reply)
                found = read_scores(server.url, reply, len(part))
                scores.values += found.values
                scores.tokens += found.tokens
        except httpx.HTTPError as error:
            raise Retry(f"{server.url}: {said(error)}", type(error).__name__) from error
        return scores

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        await self._gathering.close()
        await super().close()


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole shares of a number in proportion to weights; their sum is the number."""
    whole, before, shares = max(sum(weights), 1), 0, []
    passed = 0
    for weight in weights:
        passed += weight
        shares.append(total * passed // whole - before)
        before += shares[-1]
    return shares
