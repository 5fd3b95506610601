import asyncio
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.reranking.schedule import Launcher, Queue, Ticket, drive


def order_of(slots: int, lengths: list[int]) -> list[int]:
    """Return the positions in the order they are taken, one at a time."""
    queue, taken = Queue[int](lambda: slots), []
    for position, length in enumerate(lengths):
        queue.put(Ticket(position, length, position, brings=length))
    while queue:
        ticket = queue.take()
        taken.append(ticket.position)
        if ticket.left > 1:
            queue.put(Ticket(ticket.task, ticket.left - 1, ticket.position, started=True))
    return taken


def chains(lengths: list[int]) -> list[Ticket[int]]:
    return [
        Ticket(position, length, position, brings=length)
        for position, length in enumerate(lengths)
        if length
    ]


def test_with_much_to_do_a_started_chain_is_finished_first() -> None:
    assert order_of(1, [2, 2, 2, 2])[:4] == [0, 0, 1, 1]


def test_with_little_left_the_longest_chain_goes_first() -> None:
    assert order_of(8, [1, 3, 2]) == [1, 1, 2, 0, 1, 2]


def test_ties_go_by_input_order() -> None:
    assert order_of(8, [2, 2, 2]) == [0, 1, 2, 0, 1, 2]


@given(st.integers(1, 9), st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_every_step_is_taken_once(slots: int, lengths: list[int]) -> None:
    taken = order_of(slots, lengths)
    assert [taken.count(position) for position in range(len(lengths))] == lengths


async def run(
    lengths: list[int], slots: int, fail_at: int = -1
) -> tuple[list[int], list[int], int]:
    """Drive chains of instant steps; return starts and ends by position, and the peak in flight."""
    starts: list[int] = []
    ends: list[int] = []
    flying = peak = 0

    async def step(position: int) -> list[Ticket[int]]:
        nonlocal flying, peak
        starts.append(position)
        flying += 1
        peak = max(peak, flying)
        await asyncio.sleep(0.001 * (position + 1))
        flying -= 1
        if len(starts) > fail_at >= 0 and starts[fail_at] == position:
            raise RuntimeError(f"step of {position}")
        ends.append(position)
        left = lengths[position] - ends.count(position)
        return [Ticket(position, left, position, started=True)] if left else []

    try:
        async for _ in drive(chains(lengths), lambda: slots, step):
            pass
    except RuntimeError:
        assert fail_at >= 0
        return starts, ends, -1
    return starts, ends, peak


@pytest.mark.parametrize("slots", [1, 2, 5, 50])
def test_all_steps_run_and_never_more_than_the_slots_at_once(slots: int) -> None:
    lengths = [3, 1, 0, 4, 2]
    starts, ends, peak = asyncio.run(run(lengths, slots))
    assert sorted(starts) == sorted(ends)
    assert [ends.count(position) for position in range(5)] == lengths
    assert peak == min(slots, 4)


def test_after_a_failure_nothing_starts_but_what_flies_is_finished() -> None:
    starts, ends, _ = asyncio.run(run([4, 4, 4], 3, fail_at=0))
    assert starts == [0, 1, 2]
    assert ends == [1, 2]


def test_chains_do_not_wait_for_each_other() -> None:
    """A chain of short steps ends while a long step of another chain is still running."""

    async def main() -> list[str]:
        events: list[str] = []

        async def step(position: int) -> list[Ticket[int]]:
            await asyncio.sleep(0.3 if position == 0 else 0.001)
            events.append("long" if position == 0 else "short")
            more = position == 1 and len(events) < 5
            return [Ticket(1, 1, 1, started=True)] if more else []

        async for _ in drive(chains([1, 5]), lambda: 2, step):
            pass
        return events

    assert asyncio.run(main()) == ["short"] * 5 + ["long"]


def test_closing_cancels_what_is_in_flight() -> None:
    async def main() -> int:
        cancelled = 0

        async def step(position: int) -> list[Ticket[int]]:
            nonlocal cancelled
            try:
                await asyncio.sleep(60 if position else 0)
                return []
            except asyncio.CancelledError:
                cancelled += 1
                raise

        flight = drive(chains([1, 1, 1]), lambda: 3, step)
        await anext(flight)
        await flight.aclose()
        return cancelled

    assert asyncio.run(main()) == 2


def test_work_begun_early_is_dropped_before_it_was_begun() -> None:
    started: list[int] = []
    early = Ticket(1, 1, 1)

    async def step(position: int) -> list[Ticket[int]]:
        started.append(position)
        launcher.ahead([early])  # the only slot is ours
        assert launcher.withdraw(early) is False
        return []

    async def main() -> list[int]:
        return [task async for task in launcher.drive([Ticket(0, 1, 0)])]

    launcher = Launcher[int](lambda: 1, step)
    assert asyncio.run(main()) == started == [0]


def test_work_begun_early_that_is_needed_waits_as_any_other() -> None:
    early = Ticket(1, 1, 1)

    async def step(position: int) -> list[Ticket[int]]:
        if position == 0:
            launcher.ahead([early])  # the only slot is ours
            launcher.confirm(early)
        return []

    async def main() -> list[int]:
        return [task async for task in launcher.drive([Ticket(0, 1, 0)])]

    launcher = Launcher[int](lambda: 1, step)
    assert asyncio.run(main()) == [0, 1]


def test_asks_that_went_ahead_are_left_no_longer() -> None:
    """As below: 15 asks left make the longest chain begin."""
    queue = Queue[int](lambda: 4)
    for position in range(30):
        queue.put(Ticket(position, 1, position, brings=1))
    queue.put(Ticket(30, 3, 30, brings=3))
    for _ in range(17):
        queue.went_ahead()
    assert [queue.take().position for _ in range(2)] == [0, 30]


def test_a_stage_of_several_windows_runs_them_at_once() -> None:
    async def main() -> list[str]:
        events: list[str] = []
        ready = iter([3, 0, 0, 1, 0])

        async def step(position: int) -> list[Ticket[int]]:
            events.append("start")
            await asyncio.sleep(0.01)
            events.append("end")
            return [Ticket(0, 1, 0, started=True) for _ in range(next(ready))]

        async for _ in drive(chains([3]), lambda: 8, step):
            pass
        return events

    middle = ["start"] * 3 + ["end"] * 3
    assert asyncio.run(main()) == ["start", "end", *middle, "start", "end"]


def test_a_stage_that_several_chains_begin_with_goes_chain_by_chain() -> None:
    """Asks of a first stage are no started chains: the first query is not put off by the last."""
    queue, taken = Queue[str](lambda: 1), []
    for position in range(3):
        for number in range(4):
            name = f"{position}{number}"
            queue.put(Ticket(name, 1, position, brings=4 * (not number)))
    while queue:
        taken.append(queue.take().task)
    assert taken == [f"{position}{number}" for position in range(3) for number in range(4)]


def test_the_longest_chain_begins_once_what_is_left_fills_the_slots_for_its_length() -> None:
    """Slots times SLACK times its length: 4 x 1.25 x 3 = 15 asks left."""
    queue = Queue[int](lambda: 4)
    for position in range(30):
        queue.put(Ticket(position, 1, position, brings=1))
    queue.put(Ticket(30, 3, 30, brings=3))
    taken = [queue.take().position for _ in range(20)]
    assert taken == [*range(18), 30, 18]


def test_of_started_chains_the_nearest_to_its_end_goes_first() -> None:
    queue = Queue[int](lambda: 1)
    queue.put(Ticket(0, 9, 0, brings=99))
    queue.put(Ticket(1, 5, 1, started=True))
    queue.put(Ticket(2, 2, 2, started=True))
    assert [queue.take().position for _ in range(3)] == [2, 1, 0]


class Early:
    """Two needed steps, and one that the first of them begins early; `starts` notes them.

    The first step confirms or withdraws it, or withdraws it and fails.
    """

    def __init__(self, slots: int, decide: str) -> None:
        self.launcher = Launcher(lambda: slots, self.step)
        self.decide = decide
        self.ticket = Ticket("early", 1, 9)
        self.starts: list[str] = []

    async def step(self, name: str) -> list[Ticket[str]]:
        self.starts.append(name)
        if name == "early":
            with self.launcher.resting():
                await self.fate
        elif name == "first":
            await self.first()
        else:
            for _ in range(9):
                await asyncio.sleep(0)
        return []

    async def first(self) -> None:
        self.fate = asyncio.get_running_loop().create_future()
        self.launcher.ahead([self.ticket])
        for _ in range(3):
            await asyncio.sleep(0)
        if self.decide == "confirm":
            self.fate.set_result(None)
            self.launcher.confirm(self.ticket)
            return
        self.launcher.withdraw(self.ticket)
        if self.decide == "fail":
            raise RuntimeError("first")


def early(slots: int, decide: str) -> tuple[list[str], list[str]]:
    """Return the steps that were begun, and those that were told to be done."""

    async def main() -> tuple[list[str], list[str]]:
        steps = Early(slots, decide)
        tickets = [Ticket("first", 2, 0), Ticket("second", 1, 1)]
        done = [name async for name in steps.launcher.drive(tickets)]
        return steps.starts, done

    return asyncio.run(main())


def test_what_may_not_be_needed_goes_last_and_only_into_a_free_slot() -> None:
    assert early(3, "confirm") == (["first", "second", "early"], ["first", "early", "second"])
    # Without a free slot it waits until it is confirmed, or is forgotten.
    assert early(1, "confirm") == (["first", "second", "early"], ["first", "second", "early"])
    assert early(2, "withdraw") == (["first", "second"], ["first", "second"])


def test_what_is_withdrawn_is_cancelled_and_not_told() -> None:
    assert early(3, "withdraw") == (["first", "second", "early"], ["first", "second"])
    with pytest.raises(RuntimeError, match="first"):
        early(3, "fail")


def test_what_was_taken_is_let_go() -> None:
    class Task:
        """Something that may be held for too long."""

    queue: Queue[Task] = Queue(lambda: 2)
    waiting = 300
    for position in range(waiting):
        queue.put(Ticket(Task(), 9, position, brings=9))
    taken = []
    for _ in range(2000):
        ticket = queue.take()
        taken.append(weakref.ref(ticket.task))
        queue.put(Ticket(Task(), 1, ticket.position, started=True))
        del ticket
    assert sum(each() is not None for each in taken) == 0
    assert max(len(queue._nearest), len(queue._longest)) <= 2 * waiting + 100
