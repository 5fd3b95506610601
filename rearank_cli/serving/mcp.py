"""The reranker as tools of the Model Context Protocol, for agents."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import BaseModel, Field
from starlette.routing import Route

from rearank_cli import __version__
from rearank_cli.records import Passage
from rearank_cli.serving.answers import Scores, Window, windows
from rearank_cli.serving.refusals import Refusal, refusal_of
from rearank_cli.serving.retrieval import HITS
from rearank_cli.serving.service import Done, Job, Service

PATH = "/mcp"

Query = Annotated[str, Field(description="What the passages are to answer.")]
Documents = Annotated[list[str], Field(description="The passages, in any order.")]
Top = Annotated[int, Field(ge=1, description="How many of the best to return.")]


class Found(BaseModel):
    """A passage: its position among those given, score, text, and id where it has one."""

    index: int
    relevance_score: float
    document: str
    doc_id: str | None = None


class Answer(BaseModel):
    """Passages, best first; `scores` says whether their scores mean more than the rank."""

    results: list[Found]
    scores: Scores


class Explained(Answer):
    """The same with the model's reasoning: one window of passages after the other."""

    windows: list[Window]


def make_mcp(service: Service) -> MCPServer:
    """Return the server with its tools; `search` is one where there is a collection."""
    # With another level the package gives the root logger a handler that shows its own notes.
    server = MCPServer("rearank", version=__version__, log_level="ERROR")

    @server.tool()
    async def rerank(query: Query, documents: Documents, top_n: Top | None = None) -> Answer:
        """Order passages by how well they answer a query, best first."""
        done = await _told(service, lambda: service.rerank(_job(query, documents)))
        return Answer(results=_found(done, top_n, False), scores=_scores(done))

    @server.tool()
    async def explain(query: Query, documents: Documents, top_n: Top | None = None) -> Explained:
        """Order passages as rerank does, and return what the model thought of them."""
        done = await _told(service, lambda: service.rerank(_job(query, documents)))
        return Explained(
            results=_found(done, top_n, False), scores=_scores(done), windows=windows(done.traces)
        )

    if service.searcher is not None:
        _add_search(server, service, service.searcher.name)
    return server


def _add_search(server: MCPServer, service: Service, name: str) -> None:
    @server.tool(description=f"Find the passages of the collection {name} that answer a query.")
    async def search(query: Query, collection: str = name, top_n: Top = 10) -> Answer:
        if collection != name:
            raise ToolError(f"collection: expected {name}, found another one")
        done = await _told(service, lambda: service.search(query, max(HITS, top_n)))
        return Answer(results=_found(done, top_n, True), scores=_scores(done))


async def _told(service: Service, work: Callable[[], Awaitable[Done]]) -> Done:
    """Do the work when the engine is ready; raise `ToolError` with what a client can act upon."""
    try:
        await asyncio.shield(service.begin())
        return await work()
    except Exception as error:  # noqa: BLE001  told as every other way tells it
        refusal: Refusal = refusal_of(error)
        hint = f" ({refusal.hint})" if refusal.hint else ""
        raise ToolError(f"{refusal.message}{hint}") from None


def _job(query: str, documents: list[str]) -> Job:
    return Job(query, [Passage(str(place), text) for place, text in enumerate(documents)])


def _found(done: Done, most: int | None, named: bool) -> list[Found]:
    passages = done.job.passages
    return [
        Found(
            index=index,
            relevance_score=score,
            document=passages[index].text,
            doc_id=passages[index].doc_id if named else None,
        )
        for index, score in list(zip(done.order, done.scores, strict=True))[:most]
    ]


def _scores(done: Done) -> Scores:
    return "rank" if done.by_rank else "method"


def mcp_routes(server: MCPServer) -> Sequence[Route]:
    """Return the HTTP side, without sessions: a client that leaves, leaves nothing behind.

    A client that asks for a stream of what the server has to say by itself gets 405, as the
    protocol has it for servers without: an idle one would hold up the server's end. Keys, names of
    hosts and sizes of bodies are looked at before it.
    """
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        json_response=True,
        max_request_body_size=1 << 40,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    routes = [route for route in app.routes if isinstance(route, Route)]
    return [Route(route.path, route.endpoint, methods=["POST"]) for route in routes]
