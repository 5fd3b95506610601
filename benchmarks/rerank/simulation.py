"""A model of an engine with continuous batching, for an engine that this machine has not got.

A step of the engine writes one token for every sequence in the batch and reads a chunk of prompt.
Its time is that of a roofline for a 7B model in bfloat16 on an H200 (4.8 TB/s, 800 TFLOP/s dense,
of which matrix products reach 60 %):

    OVERHEAD + max(WEIGHTS, COMPUTE * tokens written and read) + KEYS_VALUES * sequences

- OVERHEAD: launching, sampling and scheduling, 2 ms;
- WEIGHTS: reading 15.2 GB once, 3.2 ms;
- COMPUTE: 15.2 GFLOP for a token, 0.032 ms;
- KEYS_VALUES: reading those of 2,500 tokens, 57 KB each (Qwen2.5-7B), 0.030 ms.

Answers are lognormal with mean 500 and coefficient of variation 0.6. A prompt has 2,200 tokens: 20
passages of MS MARCO (330 characters, 75 tokens), 20 for the turns around each, 300 for the rest.
"""

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rearank_cli.engines.base import Ability
from rearank_cli.records import Completion, Request

OVERHEAD = 2e-3
WEIGHTS = 3.2e-3
COMPUTE = 0.032e-3
KEYS_VALUES = 0.030e-3
CHUNK = 8192
PROMPT_TOKENS = 2200
MEAN_TOKENS = 500
VARIATION = 0.6
SEQUENCES = 256


def answer_tokens(query: int, window: int, seed: int = 0) -> int:
    """Return the length of one window's answer in tokens; the same for every schedule."""
    spread = math.log(1 + VARIATION**2)
    chance = random.Random(f"{seed}/{query}/{window}")
    return max(1, round(chance.lognormvariate(math.log(MEAN_TOKENS) - spread / 2, spread**0.5)))


Tell = Callable[[int], bool]
"""Hears how many tokens are written; returns whether that is enough."""


@dataclass(slots=True, eq=False)
class _Sequence:
    """`tell` hears of every token from `quiet` on."""

    prompt_left: int
    left: int
    done: "asyncio.Future[None]" = field(repr=False)
    tell: Tell | None = None
    quiet: int = 0
    written: int = 0

    @property
    def stop(self) -> int:
        """Tokens until something happens to this sequence."""
        if self.tell is None:
            return self.left
        return min(self.left, max(self.quiet - self.written, 1))

    def write(self, tokens: int) -> bool:
        """Write so many tokens; return whether the sequence ends."""
        self.left -= tokens
        self.written += tokens
        heard = self.tell is not None and self.written >= self.quiet and self.tell(self.written)
        return heard or not self.left


class SimulatedEngine:
    """An `Engine` in the time of the event loop; `query_of` finds a prompt's query."""

    kv_tokens = 0
    abilities: frozenset[Ability] = frozenset(("chat",))
    most_choices = 0
    reserved: Sequence[str] = ()

    def __init__(self, capacity: int = SEQUENCES) -> None:
        """Start idle."""
        self.capacity = capacity
        self._waiting: deque[_Sequence] = deque()
        self._batch: list[_Sequence] = []
        self._windows: Counter[int] = Counter()
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    def identity(self) -> Mapping[str, Any]:
        """Say what this is."""
        return {"model": "simulated"}

    async def complete(self, request: Request) -> Completion:
        """Answer after the time that the batch gives this prompt, in no particular order."""
        prompt = request.prompt
        assert not isinstance(prompt, str), "the recipe is a chat"
        query = int(prompt[-1].content.partition("number ")[2].partition(".")[0])
        window = self._windows[query]
        self._windows[query] += 1
        await self.work(answer_tokens(query, window))
        return Completion("<think></think><answer>[1]</answer>")

    async def wait(self, seconds: float) -> None:
        """Let simulated time pass."""
        await asyncio.sleep(seconds)

    async def work(self, tokens: int, tell: Tell | None = None, quiet: int = 0) -> int:
        """Take part in batches until a prompt is read and so many tokens are written.

        `tell` hears of every token from `quiet` on, and may end the answer. Returns how many were
        written.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sequence = _Sequence(PROMPT_TOKENS, tokens, done, tell, quiet)
        self._waiting.append(sequence)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        try:
            await sequence.done
        except asyncio.CancelledError:
            for where in (self._waiting, self._batch):
                if sequence in where:
                    where.remove(sequence)
            raise
        return sequence.written

    async def _run(self) -> None:
        while self._waiting or self._batch:
            # The clock moves only when nobody has anything left to do: chains that go on are in
            # this step, however many turns of the event loop they take.
            await asyncio.sleep(1e-6)
            while self._waiting and len(self._batch) < self.capacity:
                self._batch.append(self._waiting.popleft())
            await self._step()

    async def _step(self) -> None:
        writing = [each for each in self._batch if not each.prompt_left]
        room = CHUNK - len(writing)
        for each in self._batch:
            read = min(each.prompt_left, room)
            each.prompt_left -= read
            room -= read
        prompt = CHUNK - len(writing) - room
        # Until a sequence ends, steps without prompts are alike and can be taken in one.
        steps = 1 if prompt else min(each.stop for each in writing)
        compute = max(WEIGHTS, COMPUTE * (len(writing) + prompt))
        step = OVERHEAD + compute + KEYS_VALUES * len(self._batch)
        await self.wait(steps * step)
        for each in writing:
            if each in self._batch and each.write(steps):
                self._batch.remove(each)
                if not each.done.done():
                    each.done.set_result(None)
