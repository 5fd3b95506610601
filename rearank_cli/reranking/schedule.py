"""Which waiting ask goes next when an engine slot is free.

Every query is a chain of stages that run one after the other. A slot that idles at the end,
because only a few long chains are left, is lost; so is the patience of a user who sees no query
finished before all of them are. The policy below avoids both:

- as long as plenty of work is left, started chains go first, the nearest to its end before the
  others, so that queries finish early;
- once the work left would fill the slots for no more than `SLACK` times the longest chain, the
  chain with most stages left goes first. For jobs of equal length in chains this is Hu's level
  rule (T. C. Hu, Operations Research 9(6), 1961), which gives the shortest makespan.

How many stages and asks are left is a guess of the method's; a wrong one costs time alone.

Work that may turn out not to be needed goes last: when nothing else waits and a slot is free.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

# Chains advance unevenly, since answers differ in length; the level rule needs some time to even
# them out. With a quarter more than the longest chain the whole takes at most 0.6 % longer than
# with that rule from the start, and the first of 1,000 queries is done at 17 % of it, not 88 %
# (benchmarks/rerank).
SLACK = 1.25

_SPARE = 64  # empty places that are not worth a sweep

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Ticket(Generic[T]):
    """A `task` that waits for a slot.

    `left` is how many stages its chain has left, this one included, and `started` whether any of
    the chain's stages is done. The first ticket of a chain `brings` the asks of all its stages. Of
    tickets that are alike, the lower `position` goes first. A chain that is planned only when it
    is its turn has a ticket that `opens` it: without a task, for the tickets of its first stage.
    """

    task: T | None
    left: int
    position: int
    started: bool = False
    brings: int = 0
    opens: "Callable[[], Iterable[Ticket[T]]] | None" = None


_Entry = tuple[tuple[int, int, int], int, list[Ticket[T]]]


class Queue(Generic[T]):
    """Waiting tickets, ordered by the policy above; `slots` tells how many tasks may fly."""

    def __init__(self, slots: Callable[[], int], slack: float = SLACK) -> None:
        """Start empty; add tickets with `put`."""
        self._slots = slots
        self._slack = slack
        self._left = 0  # asks of all chains that have not been taken yet, about
        self._size = 0
        self._numbers = itertools.count()
        # A ticket stands in both heaps and is taken from one. Its list in the other is empty then:
        # a ticket there would hold all that was ever asked.
        self._nearest: list[_Entry[T]] = []
        self._longest: list[_Entry[T]] = []

    def put(self, ticket: Ticket[T]) -> None:
        """Add a ticket."""
        self._left += ticket.brings
        self._size += 1
        number = next(self._numbers)
        near = (0, ticket.left) if ticket.started else (1, 0)
        place = [ticket]
        heapq.heappush(self._nearest, ((*near, ticket.position), number, place))
        heapq.heappush(self._longest, ((-ticket.left, 0, ticket.position), number, place))
        for heap in (self._nearest, self._longest):
            if len(heap) > 2 * self._size + _SPARE:
                heap[:] = [entry for entry in heap if entry[-1]]
                heapq.heapify(heap)

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return self._size

    def take(self) -> Ticket[T]:
        """Remove and return the ticket that goes next; raise `IndexError` if none waits."""
        place = self._head(self._longest)
        if self._left > self._slots() * self._slack * place[0].left:
            place = self._head(self._nearest)
        ticket = place.pop()
        self._size -= 1
        if ticket.opens is None:  # else nothing is asked yet
            self._left = max(self._left - 1, 0)
        return ticket

    def went_ahead(self) -> None:
        """Note that an ask was taken that never waited here."""
        self._left = max(self._left - 1, 0)

    def _head(self, heap: list[_Entry[T]]) -> list[Ticket[T]]:
        """Return the first place of a heap whose ticket still waits."""
        while not heap[0][-1]:
            heapq.heappop(heap)
        return heap[0][-1]


Step = Callable[[T], Coroutine[None, None, Iterable[Ticket[T]]]]


async def drive(
    first: Iterable[Ticket[T]], slots: Callable[[], int], step: Step[T]
) -> AsyncGenerator[T]:
    """Run tasks, as many at once as `slots()` says; yield each when it is done.

    `step(task)` does one task and returns tickets for those that became ready by it. After a step
    has failed none is started; those in flight finish, then the first failure is raised. Closing
    the generator cancels what is in flight.
    """
    async with aclosing(Launcher(slots, step).drive(first)) as done:
        async for task in done:
            yield task


class Launcher(Generic[T]):
    """What waits and what flies; see `drive`.

    Steps may begin work early that may turn out not to be needed: they hand in its tickets with
    `ahead`, and later `confirm` or `withdraw` every one of them. A step of such work ends only
    after that, and what is withdrawn is cancelled; until it is decided, it is `resting`.
    """

    def __init__(self, slots: Callable[[], int], step: Step[T]) -> None:
        """Have nothing to do yet."""
        self._slots = slots
        self._step = step
        self._queue: Queue[T] = Queue(slots)
        self._early: dict[Ticket[T], None] = {}  # in the order of coming
        self._flying: dict[asyncio.Task[Iterable[Ticket[T]]], Ticket[T]] = {}
        self._withdrawn: set[Ticket[T]] = set()
        self._resting = 0
        self._landed: asyncio.Queue[asyncio.Task[Iterable[Ticket[T]]]] = asyncio.Queue()
        # The first step's that failed; nothing is launched after it.
        self._failure: BaseException | None = None

    async def drive(self, first: Iterable[Ticket[T]]) -> AsyncGenerator[T]:
        """Run tasks and yield each when it is done."""
        for ticket in first:
            self._queue.put(ticket)
        try:
            self._launch()
            while self._flying:
                for task in await self._land():
                    yield task
            if self._failure:
                raise self._failure
        finally:
            for flying in self._flying:
                flying.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)

    @property
    def room(self) -> bool:
        """Whether nothing waits that is needed, and a slot is free."""
        return not self._queue and self._free

    @property
    def _free(self) -> bool:
        return len(self._flying) - self._resting < max(self._slots(), 1)

    def ahead(self, tickets: Iterable[Ticket[T]]) -> None:
        """Add tickets of work that may turn out not to be needed."""
        self._early.update(dict.fromkeys(tickets))
        self._launch()

    def confirm(self, ticket: Ticket[T]) -> None:
        """Take work that was begun early, or would have been, for work that is needed."""
        if ticket in self._early:
            del self._early[ticket]
            self._queue.put(ticket)
        else:
            self._queue.went_ahead()

    def withdraw(self, ticket: Ticket[T]) -> bool:
        """Drop work that is not needed after all; return whether it had been begun."""
        if ticket in self._early:
            del self._early[ticket]
            return False
        for flying, other in self._flying.items():
            if other is ticket:
                self._withdrawn.add(ticket)
                flying.cancel()
        return True

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Leave the slot to others while the block runs."""
        self._resting += 1
        self._launch()
        try:
            yield
        finally:
            self._resting -= 1

    def _launch(self) -> None:
        """Fill the free slots."""
        while self._free and not self._failure:
            if self._queue:
                ticket = self._queue.take()
            elif self._early:
                ticket = max(self._early, key=lambda each: (each.left, -each.position))
                del self._early[ticket]
            else:
                return
            if ticket.opens is not None:
                for ready in ticket.opens():
                    self._queue.put(ready)
                continue
            assert ticket.task is not None, "only a ticket that opens a chain has no task"
            flying = asyncio.create_task(self._step(ticket.task))
            flying.add_done_callback(self._landed.put_nowait)
            self._flying[flying] = ticket

    async def _land(self) -> list[T]:
        """Wait for a task to end, launch what can follow, and return it if it was needed."""
        landed = await self._landed.get()
        ticket = self._flying.pop(landed)
        if ticket in self._withdrawn:
            self._withdrawn.remove(ticket)
            if not landed.cancelled():
                landed.exception()  # asked of every task, or asyncio complains about it
            self._launch()
            return []
        error = landed.exception()
        self._failure = self._failure or error
        if not error:
            for each in landed.result():
                self._queue.put(each)
        self._launch()
        assert ticket.task is not None, "a ticket that flew has a task"
        return [ticket.task]
