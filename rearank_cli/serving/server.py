"""Running the server: the address, the engine's start, and an end at which all are answered."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason
from rearank_cli.log import note
from rearank_cli.serving.app import Access, make_app
from rearank_cli.serving.mcp import make_mcp
from rearank_cli.serving.service import Service

BACKLOG = 2048
KEEP = 75
"""Seconds that an idle connection is kept: longer than clients keep theirs, which then never find
one closed that they are about to use."""
_MORE_CONNECTIONS = 1024
"""Connections beside those of the requests under way: probes, and clients to be turned away."""


def bind(host: str, port: int) -> socket.socket:
    """Take an address, before an engine is started; raise `RearankError` when that fails."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except (OSError, OverflowError) as error:
        raise RearankError(
            f"--host {host} --port {port}: cannot be used: {reason(error)}",
            hint="--port 0 takes a free one",
        ) from error
    return taken


class Server(uvicorn.Server):
    """Uvicorn's server, which is stopped by `stop` and leaves signals to its owner."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: Uvicorn would end the process by the signal that it was stopped with."""
        yield

    def stop(self) -> None:
        """Take no new connection, finish what is under way; the second time, do not wait."""
        self.force_exit = self.should_exit
        self.should_exit = True


def make_server(app: FastAPI, service: Service) -> Server:
    """Return the server of an app, not yet running."""
    limits = service.limits
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=limits.queue + _MORE_CONNECTIONS,
        timeout_graceful_shutdown=max(int(limits.grace), 1),
        timeout_keep_alive=KEEP,
        ws="none",
        lifespan="on",
    )
    return Server(config)


async def serve_http(service: Service, access: Access, address: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C, then answer what is under way, within the grace.

    Raises `RearankError` when the engine does not start.
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    server = make_server(make_app(service, access), service)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not server.should_exit:
            note(f"stopping: {service.queue.under_way} requests are under way")
        service.stop()
        server.stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    running = asyncio.create_task(server.serve(sockets=[address]))
    try:
        note(f"listening on {_url(address)}; the engine is starting")
        starting = service.begin()
        await asyncio.wait((running, starting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and not starting.cancelled() and starting.exception():
            server.stop()
        elif starting.done() and not server.should_exit:
            note(f"ready: {service.model} on {_url(address)}")
        await running
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
        await service.close()  # whoever does not wait for the end has it skipped
    if starting.done() and not starting.cancelled():
        starting.result()
    note("stopped")


async def serve_stdio(service: Service) -> None:
    """Serve MCP on stdin and stdout until stdin ends; raise `RearankError` like `serve_http`."""
    serving = asyncio.create_task(make_mcp(service).run_stdio_async())
    starting = service.begin()
    try:
        await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            note(f"ready: {service.model}")
        await serving
    finally:
        serving.cancel()
        await asyncio.wait([serving])
        await service.close()


def _url(address: socket.socket) -> str:
    host, port = address.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
