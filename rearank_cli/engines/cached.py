"""An engine that remembers: no finished call is made again, and an unneeded engine never starts."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rearank_cli.engines.store import Store
from rearank_cli.records import Completion, Engine, Prompt


class CachedEngine:
    """An `Engine` in front of another one, which is opened when the first answer is missing.

    `identity` is everything but the prompt that determines an answer: model and revision,
    adapter, sampling, chat template switches. Completions are stored the moment they arrive.
    """

    def __init__(self, engine: Engine, store: Store, identity: Mapping[str, Any]) -> None:
        """Put the store in front of the engine; both are closed by `close`."""
        self._engine = engine
        self._store = store
        self._model = str(identity.get("model", ""))
        self._identity = json.dumps(identity, sort_keys=True, default=str)
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

    async def open(self) -> None:
        """Do nothing yet: when all answers are known, no engine is needed."""

    async def generate(self, prompt: Prompt) -> Completion:
        """Return the stored completion, or ask the engine and store what it says."""
        loop = asyncio.get_running_loop()
        key = self.key(prompt)
        known = await loop.run_in_executor(self._disk, self._store.get, key)
        if known:
            return known
        if self._opening is None:
            self._opening = asyncio.create_task(self._engine.open())
        await asyncio.shield(self._opening)
        completion = await self._engine.generate(prompt)
        await loop.run_in_executor(self._disk, self._store.put, key, self._model, completion)
        return completion

    def key(self, prompt: Prompt) -> bytes:
        """Return the digest of everything that determines the answer to a prompt."""
        asked = json.dumps(prompt, ensure_ascii=False)
        return hashlib.sha256(f"{self._identity}\n{asked}".encode()).digest()

    async def close(self) -> None:
        """Close the engine, if it was opened, and the store."""
        if self._opening and not self._opening.done():
            self._opening.cancel()
        if self._opening:
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._engine.close()
        self._disk.shutdown()
        self._store.close()
