"""One engine for all requests: their windows share its slots, older requests first.

Each request has a driver of its own, which knows nothing of the others. Without a common limit the
engine would get the windows of all of them at once and queue those that do not fit by itself, or
throw out what it has begun.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rearank_cli.engines.base import Ability, Engine, Heard, asked
from rearank_cli.errors import EngineError, PromptTooLong
from rearank_cli.records import Completion, Request
from rearank_cli.reranking.slots import Slots

DEAD_AFTER = 3
"""Failures of the engine in a row, with no answer between them, after which it counts as dead."""


class Gate:
    """Lets as many in at once as `slots()` says; of those who wait, the lowest turn first."""

    def __init__(self, slots: Callable[[], int]) -> None:
        """Start empty."""
        self._slots = slots
        self._numbers = itertools.count()
        self._heap: list[tuple[int, int, asyncio.Future[None]]] = []
        self.inside = 0

    @property
    def room(self) -> bool:
        """Whether there is room and nobody waits for it."""
        return not self._heap and self.inside < max(self._slots(), 1)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._heap)

    async def enter(self, turn: int) -> None:
        """Wait until there is room; whoever has entered must `leave`."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (turn, next(self._numbers), mine))
        self._admit()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.cancelled():
                self._heap = [entry for entry in self._heap if entry[-1] is not mine]
                heapq.heapify(self._heap)
            else:  # let in and cancelled in the same breath
                self.leave()
            raise

    def leave(self) -> None:
        """Make room for the next."""
        self.inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._heap and self.inside < max(self._slots(), 1):
            *_, first = heapq.heappop(self._heap)
            if not first.done():
                self.inside += 1
                first.set_result(None)


class SharedEngine:
    """An engine that many drivers ask at once; `failures` are those in a row, `why` the last."""

    def __init__(self, engine: Engine, concurrency: int | None = None) -> None:
        """Share an engine; `concurrency` bounds the windows in flight, None is what fits it."""
        self.engine = engine
        self._slots = Slots(engine, concurrency)
        self.gate = Gate(self._slots)
        self.failures = 0

    @property
    def dead(self) -> bool:
        """Whether nothing but failures has come from it lately."""
        return self.failures >= DEAD_AFTER

    def turn(self, number: int) -> "Turn":
        """Return the engine as the request with this number may use it."""
        return Turn(self, number)

    async def complete(self, request: Request, turn: int, heard: Heard | None = None) -> Completion:
        """Answer one request when it is its turn; `heard` hears of it meanwhile where it can."""
        self._slots.expect(request)
        await self.gate.enter(turn)
        try:
            completion = await asked(self.engine, request, heard)
        except PromptTooLong:
            raise
        except EngineError:
            self.failures += 1
            raise
        finally:
            self.gate.leave()
        self.failures = 0
        self._slots.note(completion)
        return completion


class Turn:
    """The shared engine, for one request: an `Engine` that its owner opens and closes."""

    def __init__(self, shared: SharedEngine, number: int) -> None:
        """Take a place; the lower number goes first."""
        self._shared = shared
        self._number = number

    @property
    def reserved(self) -> Sequence[str]:
        """The engine's control tokens."""
        return self._shared.engine.reserved

    @property
    def capacity(self) -> int:
        """The engine's capacity."""
        return self._shared.engine.capacity

    @property
    def kv_tokens(self) -> int:
        """The engine's room for keys and values."""
        return self._shared.engine.kv_tokens

    @property
    def abilities(self) -> frozenset[Ability]:
        """The engine's abilities."""
        return self._shared.engine.abilities

    @property
    def most_choices(self) -> int:
        """Of how many strings the engine can tell the log-probabilities."""
        return self._shared.engine.most_choices

    def identity(self) -> Mapping[str, Any]:
        """Return the engine's identity."""
        return self._shared.engine.identity()

    async def open(self) -> None:
        """Nothing: the server opens the engine."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request when it is its turn."""
        return await self._shared.complete(request, self._number)

    async def stream(self, request: Request, heard: Heard) -> Completion:
        """Do the same, and tell `heard` of it meanwhile where the engine can; see `Streaming`."""
        return await self._shared.complete(request, self._number, heard)

    @property
    def room(self) -> bool:
        """Whether no other request needs the slot that work begun early would take."""
        return self._shared.gate.room

    async def close(self) -> None:
        """Nothing: the server closes the engine."""
