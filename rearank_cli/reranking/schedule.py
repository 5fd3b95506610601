"""Which waiting window goes next when an engine slot is free.

Every query is a chain of windows that run one after the other. A slot that idles at the end,
because only a few long chains are left, is lost; so is the patience of a user who sees no query
finished before all of them are. The policy below avoids both:

- as long as plenty of work is left, started chains go first, the nearest to its end before the
  others, so that queries finish early;
- once the work left would fill the slots for no more than `SLACK` times the longest chain, the
  chain with most windows left goes first. For jobs of equal length in chains this is Hu's level
  rule (T. C. Hu, Operations Research 9(6), 1961), which gives the shortest makespan.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import NamedTuple

# Chains advance unevenly, since answers differ in length; the level rule needs some time to even
# them out. With a quarter more than the longest chain the whole takes at most 0.6 % longer than
# with that rule from the start, and the first of 1,000 queries is done at 17 % of it, not 88 %
# (benchmarks/rerank).
SLACK = 1.25


class Ticket(NamedTuple):
    """A window that waits for a slot: its chain's position in the input and stages left.

    `number` tells tickets of one stage apart, and is above 0 once the chain has started.
    """

    position: int
    left: int
    number: int = 0

    def followers(self, count: int, number: int) -> list["Ticket"]:
        """Return the tickets of a next stage of `count` windows, numbered from `number`."""
        left = max(self.left - 1, 1)
        return [Ticket(self.position, left, number + each) for each in range(count)]


_Entry = tuple[tuple[int, int, int], Ticket]


class Queue:
    """Waiting chains, ordered by the policy above; `slots` is how many windows may be in flight."""

    def __init__(self, slots: int, slack: float = SLACK) -> None:
        """Start empty; add the chains with `put`."""
        self._enough = slots * slack
        self._left = 0  # windows of all chains that have not been taken yet, about
        self._waiting: set[Ticket] = set()
        # A ticket stands in both heaps and is taken from one; `_head` drops what it left behind.
        self._nearest: list[_Entry] = []
        self._longest: list[_Entry] = []

    def put(self, ticket: Ticket) -> None:
        """Add a new chain, or one whose window is done and that has windows left."""
        if not ticket.number:
            self._left += ticket.left
        self._waiting.add(ticket)
        near = (0, ticket.left) if ticket.number else (1, 0)
        heapq.heappush(self._nearest, ((*near, ticket.position), ticket))
        heapq.heappush(self._longest, ((-ticket.left, 0, ticket.position), ticket))

    def __len__(self) -> int:
        """Return how many chains wait."""
        return len(self._waiting)

    def take(self) -> Ticket:
        """Remove and return the chain whose window goes next; raise `IndexError` if none waits."""
        ticket = self._head(self._longest)
        if self._left > self._enough * ticket.left:
            ticket = self._head(self._nearest)
        self._waiting.remove(ticket)
        self._left -= 1
        return ticket

    def _head(self, heap: list[_Entry]) -> Ticket:
        """Return the first ticket of a heap that still waits."""
        while heap[0][-1] not in self._waiting:
            heapq.heappop(heap)
        return heap[0][-1]


Step = Callable[[int], Coroutine[None, None, int]]


async def drive(lengths: Sequence[int], slots: int, step: Step) -> AsyncGenerator[int]:
    """Run chains of steps, at most `slots` steps at once; yield a position when its step is done.

    `lengths[position]` is how many stages a chain has, and `step(position)` runs its next window
    and returns how many windows have become ready by it: 0 when others of its stage are still
    running or the chain is done. They are queued at once. After a step has failed none is started;
    those in flight finish, then the first failure is raised. Closing the generator cancels what is
    in flight.
    """
    flight = _Flight(slots, step)
    for position, length in enumerate(lengths):
        if length:
            flight.queue.put(Ticket(position, length))
    try:
        flight.launch()
        while flight.flying:
            yield await flight.land()
        if flight.failure:
            raise flight.failure
    finally:
        await flight.cancel()


class _Flight:
    """The steps in flight; `failure` is the first one's, and nothing is launched after it."""

    def __init__(self, slots: int, step: Step) -> None:
        self.queue = Queue(slots)
        self.flying: dict[asyncio.Task[int], Ticket] = {}
        self.failure: BaseException | None = None
        self._slots = slots
        self._step = step
        self._landed: asyncio.Queue[asyncio.Task[int]] = asyncio.Queue()
        self._numbers = 1

    def launch(self) -> None:
        """Fill the free slots."""
        while self.queue and len(self.flying) < self._slots and not self.failure:
            ticket = self.queue.take()
            task = asyncio.create_task(self._step(ticket.position))
            task.add_done_callback(self._landed.put_nowait)
            self.flying[task] = ticket

    async def land(self) -> int:
        """Wait for a step to end, launch what can follow, and return the step's position."""
        task = await self._landed.get()
        ticket = self.flying.pop(task)
        error = task.exception()  # asked of every task, or asyncio complains about it
        self.failure = self.failure or error
        if not error:
            ready = ticket.followers(task.result(), self._numbers)
            self._numbers += len(ready)
            for each in ready:
                self.queue.put(each)
        self.launch()
        return ticket.position

    async def cancel(self) -> None:
        """Cancel what is in flight and wait until it is gone."""
        for task in self.flying:
            task.cancel()
        await asyncio.gather(*self.flying, return_exceptions=True)
