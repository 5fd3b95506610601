"""The server on a real socket, in a thread of the tests, with an engine that is scripted."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from scripted import ScriptedEngine

from rearank_cli.engines.base import Engine
from rearank_cli.methods import Method
from rearank_cli.reranking.reranker import Reranker
from rearank_cli.serving.app import Access, make_app
from rearank_cli.serving.limits import Limits
from rearank_cli.serving.retrieval import Searcher
from rearank_cli.serving.server import Server, bind, make_server
from rearank_cli.serving.service import Service

QUERY = "which number is lowest"


def documents(count: int) -> list[str]:
    """Return passages whose numbers fall, so that the right order is the reverse of theirs."""
    return [f"passage {number:02}" for number in range(count - 1, -1, -1)]


def body(count: int = 20, **more: Any) -> dict[str, Any]:
    """Return a request in the common dialect."""
    return {"model": "any", "query": QUERY, "documents": documents(count), **more}


@dataclass
class Running:
    """A server: its address, what it runs on, and the means to stop it."""

    url: str
    service: Service
    server: Server
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread

    def post(self, path: str, json: Any, **more: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=json, timeout=60, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=60, **more)

    def until(self, condition: Any) -> None:
        """Wait until a condition holds; after a minute it never will."""
        for _ in range(6000):
            if condition():
                return
            assert self.thread.is_alive(), "the server has ended"
            time.sleep(0.01)
        raise AssertionError("waited a minute")


@dataclass(frozen=True)
class Setup:
    """What a server is made of, where a test wants something else."""

    limits: Limits = field(default_factory=Limits)
    access: Access = field(default_factory=Access)
    searcher: Searcher | None = None
    method: Method | str = "sliding"
    wait: bool = True


@contextmanager
def running(engine: Engine | None = None, setup: Setup | None = None) -> Iterator[Running]:
    """Run a server until the block ends."""
    setup = setup or Setup()
    reranker = Reranker(engine=engine or ScriptedEngine(), method=setup.method)
    service = Service(reranker, setup.limits, setup.searcher)
    address = bind("127.0.0.1", 0)
    server = make_server(make_app(service, setup.access), service)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve([address])))
    thread.start()
    url = "http://127.0.0.1:{1}".format(*address.getsockname())
    found = Running(url, service, server, loop, thread)
    try:
        found.until(lambda: server.started and (not setup.wait or service.state != "starting"))
        yield found
    finally:
        if not server.should_exit:  # the second time it would wait for nobody
            loop.call_soon_threadsafe(server.stop)
        thread.join(60)
        assert not thread.is_alive(), "the server did not stop"
        loop.close()
