import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp.server.mcpserver")

from command import Numbers, environment
from llm_server import serving
from mcp import Client, StdioServerParameters
from scripted import ScriptedEngine
from serving import QUERY, documents, running

from rearank_cli.collection import open_collection
from rearank_cli.records import Passage
from rearank_cli.reranking.reranker import Reranker
from rearank_cli.serving.limits import Limits
from rearank_cli.serving.mcp import make_mcp
from rearank_cli.serving.retrieval import Searcher
from rearank_cli.serving.service import Service


class Shelf(Searcher):
    """Finds the passages that it was given, whatever is asked."""

    def __init__(self, passages: list[Passage]) -> None:
        super().__init__(open_collection("demo"))
        self._passages = passages

    def _open(self) -> None:
        pass

    def _search(self, query: str, hits: int) -> list[Passage]:
        return self._passages[:hits]


def shelf(count: int) -> Shelf:
    return Shelf([Passage(f"d{text[-2:]}", text) for text in documents(count)])


def spoken(
    talk: Callable[[Client], Awaitable[None]],
    searcher: Searcher | None = None,
    limits: Limits | None = None,
) -> ScriptedEngine:
    """Talk to a server in this process; return its engine."""
    engine = ScriptedEngine()

    async def run() -> None:
        service = Service(Reranker(engine=engine), limits, searcher)
        try:
            async with Client(make_mcp(service)) as client:
                await talk(client)
        finally:
            await service.close()

    asyncio.run(run())
    return engine


async def called(client: Client, name: str, **arguments: Any) -> Any:
    answer = await client.call_tool(name, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


async def refused(client: Client, name: str, **arguments: Any) -> str:
    answer = await client.call_tool(name, arguments)
    assert answer.is_error
    return str(answer.content[0])


def test_rerank_orders_passages_and_explain_says_why() -> None:
    async def talk(client: Client) -> None:
        found = await called(client, "rerank", query=QUERY, documents=documents(5))
        assert [each["index"] for each in found["results"]] == [4, 3, 2, 1, 0]
        assert all(type(each["index"]) is int for each in found["results"])
        assert found["results"][0]["document"] == "passage 00"
        assert found["scores"] == "rank"
        found = await called(client, "explain", query=QUERY, documents=documents(25), top_n=2)
        assert [each["index"] for each in found["results"]] == [24, 23]
        assert [each["reasoning"] for each in found["windows"]] == ["by number"] * 2

    engine = spoken(talk)
    assert engine.opened == 1 and engine.closed >= 1


def test_search_is_a_tool_where_there_is_a_collection() -> None:
    async def without(client: Client) -> None:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"rerank", "explain"}

    async def talk(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"rerank", "explain", "search"}
        assert "demo" in str(tools["search"].description)
        found = await called(client, "search", query=QUERY, top_n=3)
        assert [each["doc_id"] for each in found["results"]] == ["d00", "d01", "d02"]
        assert await called(client, "search", query=QUERY, collection="demo")
        said = await refused(client, "search", query=QUERY, collection="other")
        assert "collection: expected demo, found another one" in said

    spoken(without)
    spoken(talk, shelf(20))


def test_what_cannot_be_meant_is_an_error_that_an_agent_can_read() -> None:
    async def talk(client: Client) -> None:
        assert "query: expected a text" in await refused(
            client, "rerank", query="", documents=["a"]
        )
        said = await refused(client, "rerank", query="q", documents=documents(6))
        assert "documents: expected at most 5, found 6" in said
        assert await refused(client, "rerank", query="q", documents=3)
        assert "nothing was found" in await refused(client, "search", query="q")

    spoken(talk, shelf(0), Limits(documents=5))


def test_over_http_it_is_at_mcp() -> None:
    async def talk(url: str) -> None:
        async with Client(f"{url}/mcp") as client:
            found = await called(client, "rerank", query=QUERY, documents=documents(5))
            assert [each["index"] for each in found["results"]] == [4, 3, 2, 1, 0]
            answers = [
                called(client, "rerank", query=f"{QUERY} {n}", documents=documents(25))
                for n in range(10)
            ]
            for found in await asyncio.gather(*answers):
                assert found["results"][0]["index"] == 24

    with running() as server:
        asyncio.run(talk(server.url))
        assert server.service.queue.under_way == 0


def test_over_stdio_it_is_the_command_itself(tmp_path: Path) -> None:
    async def talk(url: str) -> None:
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "rearank_cli", "serve", "--mcp", "--base-url", url, "--model", "scripted"],
            env=environment(tmp_path),
        )
        async with Client(parameters) as client:
            found = await called(client, "rerank", query=QUERY, documents=documents(25))
            assert found["results"][0]["index"] == 24

    with serving() as llm:
        asyncio.run(asyncio.wait_for(talk(llm.url), 120))


def test_a_real_collection_is_searched_and_reranked(tmp_path: Path) -> None:
    """With Lucene: the index is built at the start, the passages come from the collection."""
    pytest.importorskip("jnius")
    Numbers(1, 30).write(tmp_path)
    code = (
        "import asyncio, sys, json\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from scripted import ScriptedEngine\n"
        "from rearank_cli.collection import open_collection\n"
        "from rearank_cli.reranking.reranker import Reranker\n"
        "from rearank_cli.serving.retrieval import Searcher\n"
        "from rearank_cli.serving.service import Service\n"
        "async def main():\n"
        "    searcher = Searcher(open_collection(None, 'corpus.tsv'))\n"
        "    service = Service(Reranker(engine=ScriptedEngine()), None, searcher)\n"
        "    await service.begin()\n"
        "    done = await service.search('passage', 10)\n"
        "    print(json.dumps([done.job.passages[n].text for n in done.order]))\n"
        "    await service.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 10 and found == sorted(found)
