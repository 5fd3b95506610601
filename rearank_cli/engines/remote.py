"""What every engine on servers has: whom to ask, how long, and the connections to them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from rearank_cli.engines.base import EngineSettings
from rearank_cli.engines.persistence import Persistence
from rearank_cli.engines.servers import Servers
from rearank_cli.log import note


class ServerEngine:
    """The part of an `Engine` on one or several servers with the same model.

    Every request is tried until `deadline` seconds have passed; a try takes at most `timeout`.
    `transport` is for tests. `open` of the engine makes the client.
    """

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
        self._persistence = Persistence(Servers(urls, tell=note), deadline)
        self._timeout = timeout
        self._transport = transport
        self._connected: httpx.AsyncClient | None = None

    @property
    def _client(self) -> httpx.AsyncClient:
        assert self._connected is not None, "open comes before complete"
        return self._connected

    @property
    def retries(self) -> Counter[str]:
        """The tries that were repeated, by cause."""
        return self._persistence.retries

    def identity(self) -> Mapping[str, Any]:
        """Return what answers depend on beside the request."""
        return self._settings.identity()

    async def close(self) -> None:
        """Close the connections."""
        self._persistence.close()
        client, self._connected = self._connected, None
        if client:
            await client.aclose()
