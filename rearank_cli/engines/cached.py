"""An engine that remembers: no finished call is made again, and an unneeded engine never starts."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from rearank_cli.engines.base import ANSWERED, ENOUGH, Ability, Engine, Heard, asked
from rearank_cli.engines.store import Store
from rearank_cli.records import Completion, Request


@dataclass(slots=True)
class _Asked:
    """A call under way, how many wait for it, and who hears what is written so far.

    `paid` says whether somebody has got its answer; to the others it is a cached one.
    """

    task: "asyncio.Task[Completion]"
    waiting: int = 0
    hearing: list[Heard] = field(default_factory=list)
    so_far: Completion | None = None
    paid: bool = False

    def hear(self, so_far: Completion) -> bool:
        """Tell all who listen."""
        self.so_far = so_far
        return any([heard(so_far) for heard in self.hearing])


class CachedEngine:
    """An `Engine` in front of another one, which is opened when the first answer is missing.

    The key of an answer is the engine's identity (the model by its revision, adapter, arguments),
    that of the request (sampling, chat template switches) and the prompt. Completions are stored
    the moment they arrive. Equal requests at the same time are asked once. `legacy` is the
    engine's identity in stores of earlier versions, if their answers may be used.
    """

    def __init__(
        self, engine: Engine, store: Store, legacy: Mapping[str, Any] | None = None
    ) -> None:
        """Put the store in front of the engine; both are closed by `close`."""
        self._engine = engine
        self._store = store
        self._legacy = legacy
        self._opening: asyncio.Task[None] | None = None
        self._asked: dict[bytes, _Asked] = {}
        self._tasks: set[asyncio.Task[Completion]] = set()
        self._kept: set[bytes] = set()
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
    def retries(self) -> Counter[str]:
        """Tries that the other engine repeated, by cause; empty for one that never does."""
        found = getattr(self._engine, "retries", None)
        return found if isinstance(found, Counter) else Counter()

    @property
    def kept(self) -> int:
        """How many of the answers asked for so far are in the store."""
        return len(self._kept)

    @property
    def most_choices(self) -> int:
        """Of how many strings the other engine can tell the log-probabilities."""
        return self._engine.most_choices

    def identity(self) -> Mapping[str, Any]:
        """Return the other engine's identity."""
        return self._engine.identity()

    async def open(self) -> None:
        """Do nothing yet: when all answers are known, no engine is needed."""

    async def start(self) -> None:
        """Open the other engine, whoever asks first; raise what that raised."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._engine.open())
        await asyncio.shield(self._opening)

    async def complete(self, request: Request) -> Completion:
        """Return the stored completion, or ask the engine and store what it says.

        Who asks for what is being asked already gets the same answer, marked as cached.
        """
        return await self._complete(request, None)

    async def stream(self, request: Request, heard: Heard) -> Completion:
        """Do the same, and tell `heard` of it meanwhile where the engine can; see `Streaming`."""
        return await self._complete(request, heard)

    async def _complete(self, request: Request, heard: Heard | None) -> Completion:
        key = self.key(request)
        call = self._asked.get(key)
        if call is None:
            call = self._asked[key] = self._call(request)
        elif heard is not None and call.so_far is not None:
            heard(call.so_far)
        if heard is not None:
            call.hearing.append(heard)
        call.waiting += 1
        try:
            completion = await asyncio.shield(call.task)
        finally:
            call.waiting -= 1
            if heard is not None:
                call.hearing.remove(heard)
            if not call.waiting:
                # Done, or nobody wants it any more; either way nobody may join it now.
                if self._asked.get(key) is call:
                    del self._asked[key]
                call.task.cancel()
        paid, call.paid = call.paid, True
        return replace(completion, cached=True) if paid else completion

    def _call(self, request: Request) -> _Asked:
        """Begin a call; what it is asked with `hearing` is seen when it comes to that."""

        async def answer() -> Completion:
            return await self._answer(request, call)

        call = _Asked(asyncio.create_task(answer()))
        self._tasks.add(call.task)
        call.task.add_done_callback(self._ended)
        return call

    def _ended(self, task: "asyncio.Task[Completion]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who waited has heard it; when nobody did, nobody needs to

    async def _answer(self, request: Request, call: _Asked) -> Completion:
        loop = asyncio.get_running_loop()
        known = await loop.run_in_executor(self._disk, self._known, request)
        if known:
            self._kept.add(self.key(request))
            return known
        await self.start()
        completion = await asked(self._engine, request, call.hear if call.hearing else None)
        if completion.finish_reason in {*ANSWERED, ENOUGH}:
            # A whole answer is one to any number of ranks.
            ended = request if completion.finish_reason == ENOUGH else request.whole()
            # Shielded: it is paid for, whoever still wants it.
            await asyncio.shield(loop.run_in_executor(self._disk, self._put, ended, completion))
            self._kept.add(self.key(request))
        return completion

    def _known(self, request: Request) -> Completion | None:
        """Look for an answer; one of earlier versions moves."""
        known, old = look_up(self._store, self.identity(), self._legacy, request)
        if known and old:
            self._put(request.whole(), known)
        return known

    def _put(self, request: Request, completion: Completion) -> None:
        model = str(self.identity().get("model", ""))
        self._store.put(self.key(request), model, completion)

    def key(self, request: Request) -> bytes:
        """Return the digest of everything that determines the answer to a request."""
        return request_key(self.identity(), request)

    async def close(self) -> None:
        """Close the engine, if it was opened, and the store."""
        for task in self._tasks:
            task.cancel()
        if self._opening and not self._opening.done():
            self._opening.cancel()
        opening = [self._opening] if self._opening else []
        await asyncio.gather(*self._tasks, *opening, return_exceptions=True)
        await self._engine.close()
        self._disk.shutdown()
        self._store.close()


def answers_kept(engine: Engine) -> int | None:
    """Return how many of the answers asked for are in the store; None for an engine without."""
    return engine.kept if isinstance(engine, CachedEngine) else None


def request_key(engine: Mapping[str, Any], request: Request) -> bytes:
    """Return the key of a request's answer in the store, for an engine of this identity.

    A model with a revision is known by that, whatever it was called.
    """
    unnamed = {name: value for name, value in engine.items() if name != "model"}
    return _digest(unnamed if engine.get("revision") else engine, request)


def look_up(
    store: Store,
    engine: Mapping[str, Any],
    legacy: Mapping[str, Any] | None,
    request: Request,
) -> tuple[Completion | None, bool]:
    """Return what a store has for a request, and whether it stands under an earlier version's key.

    Looked for is a whole answer, also under the `legacy` identity where there is one, and then one
    that was ended at as many ranks.
    """
    whole = request.whole()
    known = store.get(request_key(engine, whole))
    if known is None and legacy is not None:
        known = store.get(legacy_key(legacy, whole))
        if known:
            return known, True
    if known is None and request.ranks:
        known = store.get(request_key(engine, request))
    return known, False


def legacy_key(engine: Mapping[str, Any], request: Request) -> bytes:
    """Return the key that earlier versions gave an answer: with the model's name as typed."""
    return _digest(engine, request)


def _digest(engine: Mapping[str, Any], request: Request) -> bytes:
    about = json.dumps({**engine, **request.identity()}, sort_keys=True, default=str)
    asked = json.dumps(request.prompt, ensure_ascii=False)
    return hashlib.sha256(f"{about}\n{asked}".encode()).digest()
