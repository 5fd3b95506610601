"""An engine that remembers: no finished call is made again, and an unneeded engine never starts."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rearank_cli.engines.base import Ability, Engine
from rearank_cli.engines.store import Store
from rearank_cli.records import Completion, Request


class CachedEngine:
    """An `Engine` in front of another one, which is opened when the first answer is missing.

    The key of an answer is the engine's identity (model and revision, adapter, arguments), that of
    the request (sampling, chat template switches) and the prompt. Completions are stored the
    moment they arrive.
    """

    def __init__(self, engine: Engine, store: Store) -> None:
        """Put the store in front of the engine; both are closed by `close`."""
        self._engine = engine
        self._store = store
        self._opening: asyncio.Task[None] | None = None
        # One thread, beside the event loop: SQLite may wait for a disk or another process.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="cache")

    @property
    def reserved(self) -> Sequence[str]:
        """The other engine's control tokens."""
        return self._engine.reserved

    @property
    def capacity(self) -> int:
        """The other engine's capacity."""
        return self._engine.capacity

    @property
    def kv_tokens(self) -> int:
        """The other engine's room for keys and values."""
        return self._engine.kv_tokens

    @property
    def abilities(self) -> frozenset[Ability]:
        """The other engine's abilities."""
        return self._engine.abilities

    @property
    def most_choices(self) -> int:
        """Of how many strings the other engine can tell the log-probabilities."""
        return self._engine.most_choices

    def identity(self) -> Mapping[str, Any]:
        """Return the other engine's identity."""
        return self._engine.identity()

    async def open(self) -> None:
        """Do nothing yet: when all answers are known, no engine is needed."""

    async def complete(self, request: Request) -> Completion:
        """Return the stored completion, or ask the engine and store what it says."""
        loop = asyncio.get_running_loop()
        key = self.key(request)
        known = await loop.run_in_executor(self._disk, self._store.get, key)
        if known:
            return known
        if self._opening is None:
            self._opening = asyncio.create_task(self._engine.open())
        await asyncio.shield(self._opening)
        completion = await self._engine.complete(request)
        model = str(self.identity().get("model", ""))
        await loop.run_in_executor(self._disk, self._store.put, key, model, completion)
        return completion

    def key(self, request: Request) -> bytes:
        """Return the digest of everything that determines the answer to a request."""
        return request_key(self.identity(), request)

    async def close(self) -> None:
        """Close the engine, if it was opened, and the store."""
        if self._opening and not self._opening.done():
            self._opening.cancel()
        if self._opening:
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._engine.close()
        self._disk.shutdown()
        self._store.close()


def request_key(engine: Mapping[str, Any], request: Request) -> bytes:
    """Return the key of a request's answer in the store, for an engine of this identity."""
    about = json.dumps({**engine, **request.identity()}, sort_keys=True, default=str)
    asked = json.dumps(request.prompt, ensure_ascii=False)
    return hashlib.sha256(f"{about}\n{asked}".encode()).digest()
