import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.reranking.schedule import Queue, Ticket, drive


def order_of(slots: int, lengths: list[int]) -> list[int]:
    """Return the positions in the order they are taken, one at a time."""
    queue, taken = Queue(slots), []
    for position, length in enumerate(lengths):
        queue.put(Ticket(position, length))
    while queue:
        ticket = queue.take()
        taken.append(ticket.position)
        if ticket.left > 1:
            queue.put(*ticket.followers(1, len(taken)))
    return taken


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

    async def step(position: int) -> int:
        nonlocal flying, peak
        starts.append(position)
        flying += 1
        peak = max(peak, flying)
        await asyncio.sleep(0.001 * (position + 1))
        flying -= 1
        if len(starts) > fail_at >= 0 and starts[fail_at] == position:
            raise RuntimeError(f"step of {position}")
        ends.append(position)
        return 1 if ends.count(position) < lengths[position] else 0

    try:
        async for _ in drive(lengths, slots, step):
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

        async def step(position: int) -> int:
            await asyncio.sleep(0.3 if position == 0 else 0.001)
            events.append("long" if position == 0 else "short")
            return 1 if position == 1 and len(events) < 5 else 0

        async for _ in drive([1, 5], 2, step):
            pass
        return events

    assert asyncio.run(main()) == ["short"] * 5 + ["long"]


def test_closing_cancels_what_is_in_flight() -> None:
    async def main() -> int:
        cancelled = 0

        async def step(position: int) -> int:
            nonlocal cancelled
            try:
                await asyncio.sleep(60 if position else 0)
                return 0
            except asyncio.CancelledError:
                cancelled += 1
                raise

        flight = drive([1, 1, 1], 3, step)
        await anext(flight)
        await flight.aclose()
        return cancelled

    assert asyncio.run(main()) == 2


def test_a_stage_of_several_windows_runs_them_at_once() -> None:
    async def main() -> list[str]:
        events: list[str] = []
        ready = iter([3, 0, 0, 1, 0])

        async def step(position: int) -> int:
            events.append("start")
            await asyncio.sleep(0.01)
            events.append("end")
            return next(ready)

        async for _ in drive([3], 8, step):
            pass
        return events

    middle = ["start"] * 3 + ["end"] * 3
    assert asyncio.run(main()) == ["start", "end", *middle, "start", "end"]
