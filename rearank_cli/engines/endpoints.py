"""Servers that score passages for a query: what they want to be sent, and what they send back.

Three forms cover them. `documents` is Cohere's, which Jina, Voyage and vLLM have too; `texts` is
that of text-embeddings-inference; `score` is vLLM's own, of pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from rearank_cli.engines.openai import check_key
from rearank_cli.engines.replies import Retry, check_status
from rearank_cli.errors import EngineError, EngineStartError

# Passages in one request; a whole query's, mostly.
MOST = 100
# What text-embeddings-inference takes unless it is told otherwise (--max-client-batch-size).
MOST_TEXTS = 32
LOOK = httpx.Timeout(10.0, connect=5.0)
_EXAMPLES = "http://host:8000/rerank, https://host/v2/rerank or http://host:8000/score"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server scores, and in which form; at most `most` passages at once."""

    url: str
    form: Literal["documents", "texts", "score"]
    most: int = MOST

    def body(
        self, model: str, query: str, passages: Sequence[str], extra: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a request; `extra` are fields of the user's, and those that are None are left out.

        How many results are wanted is not said: all are, which is everybody's default.
        """
        body: dict[str, Any] = {"query": query, "texts": list(passages)}
        if self.form == "documents":
            body = {"model": model, "query": query, "documents": list(passages)}
        elif self.form == "score":
            body = {"model": model, "text_1": query, "text_2": list(passages)}
        return {name: value for name, value in {**body, **extra}.items() if value is not None}


@dataclass(slots=True)
class Scores:
    """Scores of passages in the order in which they were sent; `tokens` where a server tells."""

    values: list[float] = field(default_factory=list)
    tokens: int = 0


def read_scores(url: str, reply: httpx.Response, count: int) -> Scores:
    """Return the scores in a reply about so many passages.

    Raises `Retry` for a reply that has none, and `EngineError` for one that has fewer or more.
    """
    try:
        data = reply.json()
        results = data if isinstance(data, list) else data.get("results", data.get("data"))
        found = {int(each["index"]): _score(each) for each in results}
        tokens = 0 if isinstance(data, list) else _tokens(data)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        text = f"{url}: expected an index and a score for each passage, found other data"
        raise Retry(text, "no scores") from error
    if sorted(found) != list(range(count)):
        raise EngineError(
            f"{url}: expected scores of {count} passages, found {len(found)}",
            hint=f"`server_args` top_n={count}, or what this server calls it, asks for all",
        )
    return Scores([found[place] for place in range(count)], tokens)


def _score(result: Mapping[str, Any]) -> float:
    return float(result["relevance_score"] if "relevance_score" in result else result["score"])


def _tokens(data: Mapping[str, Any]) -> int:
    usage = data.get("usage") or (data.get("meta") or {}).get("tokens") or {}
    names = ("prompt_tokens", "total_tokens", "input_tokens")
    return int(next((usage[name] for name in names if usage.get(name)), 0))


async def find_endpoint(client: httpx.AsyncClient, url: str, model: str) -> Endpoint:
    """Return where and how the server at a URL scores.

    A path that ends in /v1/rerank, /v2/rerank or /score says it. Else text-embeddings-inference is
    known by its /info, and others are sent one pair to try. Raises `httpx.HTTPError` or `Retry`
    for a server that cannot be reached now, and `EngineStartError` for one that does not score.
    """
    root, _, last = url.rpartition("/")
    if last == "score":
        return Endpoint(url, "score")
    named = last == "rerank"
    if named and _versioned(root):
        return Endpoint(url, "documents")
    base = root if named else url
    known = await described(client, base)
    if known:
        return Endpoint(f"{base}/rerank", "texts", int(known["max_client_batch_size"]))
    tried = []
    for endpoint in [Endpoint(url, "documents")] if named else _places(base):
        reply = await client.post(
            endpoint.url, json=endpoint.body(model, "a", ["b"], {}), timeout=LOOK
        )
        found = _recognised(endpoint, reply)
        if found:
            return found
        tried.append(f"{reply.status_code} at {urlsplit(endpoint.url).path}")
    raise EngineStartError(
        f"{url}: expected a server with /rerank or /score, found {', '.join(tried)}",
        hint=f"`rerank_urls` may name the endpoint itself: {_EXAMPLES}",
        exit_code=2,
    )


def _versioned(path: str) -> bool:
    return path.rpartition("/")[2] in ("v1", "v2")


def _places(base: str) -> Iterator[Endpoint]:
    versions = [""] if _versioned(base) else ["", "/v1", "/v2"]
    for version in versions:
        yield Endpoint(f"{base}{version}/rerank", "documents")
    for version in versions[:2]:
        yield Endpoint(f"{base}{version}/score", "score")


def _recognised(endpoint: Endpoint, reply: httpx.Response) -> Endpoint | None:
    """Return the endpoint as the reply to a try shows it; None where there is none.

    What is missing has no words about a model; a model that is missing has.
    """
    if reply.status_code in (404, 405) and "model" not in reply.text:
        return None
    if reply.status_code in (400, 422) and "texts" in reply.text:
        return Endpoint(endpoint.url, "texts", MOST_TEXTS)
    check_reply(endpoint, reply)
    return endpoint


def check_reply(endpoint: Endpoint, reply: httpx.Response) -> None:
    """Raise `Retry`, `PromptTooLong` or another `EngineError` for a reply that is no answer."""
    check_key(endpoint.url, reply)
    if reply.status_code in (404, 405):
        raise EngineStartError(
            f"{endpoint.url}: expected scores of {endpoint.form}, found {reply.status_code}: "
            f"{reply.text[:200]}",
            hint=f"`rerank_urls` may name the endpoint itself: {_EXAMPLES}",
            exit_code=2,
        )
    check_status(endpoint.url, reply, 1)


async def described(client: httpx.AsyncClient, base: str) -> dict[str, Any] | None:
    """Return what text-embeddings-inference tells of itself; None for any other server."""
    return told_of_itself(await client.get(f"{base}/info", timeout=LOOK))


def told_of_itself(reply: httpx.Response) -> dict[str, Any] | None:
    """Return the description in a reply, if it is that of text-embeddings-inference."""
    try:
        data = reply.json()
        return data if {"model_id", "max_client_batch_size"} <= set(data) else None
    except (ValueError, TypeError):
        return None


def base_of(url: str) -> str:
    """Return a server's URL without the endpoint."""
    return url.removesuffix("/rerank").removesuffix("/score")


def models_url(url: str) -> str:
    """Return where a server of this URL lists its models, without the last part of the path."""
    base = base_of(url)
    return f"{base.removesuffix('/v1').removesuffix('/v2')}/v1"
