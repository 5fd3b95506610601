"""Asks that begin before the answer that they follow from is finished."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedEngine, by_number, ids, numbered, query, shown
from streamed import StreamedEngine, cut_by

from rearank_cli.engines.base import Heard
from rearank_cli.engines.cached import CachedEngine
from rearank_cli.engines.store import Store
from rearank_cli.errors import EngineError, RearankError
from rearank_cli.methods import make_method
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Completion, Prompt, Request
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Listener, Settings
from rearank_cli.reranking.trace import AskTrace
from rearank_cli.serving.gate import SharedEngine


def work(hits: int, queries: int = 1) -> list[Candidates]:
    passages = numbered(hits)
    return [Candidates(query(f"q{n}"), tuple(reversed(passages)), passages) for n in range(queries)]


def plan(recipe: str = "rearank", method: str = "sliding", **given: Any) -> Settings:
    own: dict[str, Any] = {
        name: given.pop(name)
        for name in ("window", "stride", "top", "pivot", "sort", "children", "samples", "shuffle")
        if name in given
    }
    return Settings(load_recipe(recipe), make_method(method, own), **given)


class Noting(Listener):
    """Notes what is heard."""

    def __init__(self) -> None:
        self.taken = 0
        self.answers: list[AskTrace] = []

    def taken_back(self, asks: int) -> None:
        self.taken += asks

    def answered(self, trace: AskTrace, expected: int) -> None:
        self.answers.append(trace)


def rerank(
    engine: Any, items: Sequence[Candidates], how: Settings, listener: Listener | None = None
) -> list[Reranked]:
    async def main() -> list[Reranked]:
        driver = Driver(engine, how, listener)
        return [result async for result in driver.run(items)]

    return asyncio.run(main())


def told(results: Sequence[Reranked]) -> list[Any]:
    """Return results and traces without what depends on the clock."""
    return [
        (each.query_id, each.ranking, each.scores, [replace(t, seconds=0) for t in each.traces])
        for each in results
    ]


def plain(engine: ScriptedEngine) -> ScriptedEngine:
    """Return an engine with the same script that tells nothing before an answer is finished."""
    return ScriptedEngine(engine.script, capacity=engine.capacity)


# What a model may write: orders whole and broken, in any mixture.
FRAGMENTS = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "ORDER",
    "ORDER",
    "ORDER",
    "HALF",
    " > ",
    "[2]",
    "[99] > [1] > [1] > ",
    "Passage [1] is off. ",
    "Wait. ",
    "\n",
    "1. [3]\n2. [1]\n",
    "{}",
]
RECIPES_TEXTS = st.tuples(
    st.sampled_from(["rearank", "rankgpt"]),
    st.lists(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=7), min_size=1, max_size=5),
)


def writing(shapes: Sequence[Sequence[str]], seed: int) -> Callable[[Prompt], str]:
    """Return a script that writes in one of these shapes; the prompt alone decides what."""

    def script(prompt: Prompt) -> str:
        chance = random.Random(f"{seed} {prompt}")
        count = len(shown(prompt))
        text = ""
        for part in chance.choice(list(shapes)):
            order = chance.sample(range(count), count)
            if part == "HALF":
                text += ids(order)[: chance.randrange(1, 6 * count)]
            else:
                text += ids(order) if part == "ORDER" else part
        return text

    return script


METHODS: list[dict[str, Any]] = [
    {"window": 4},
    {"window": 5, "stride": 1},
    {"window": 5, "stride": 4, "passes": 2},
    {"window": 4, "top": 3},
    {"window": 4, "top": 9},
    {"window": 4, "samples": 2, "shuffle": True},
    {"method": "topdown", "window": 5},
    {"method": "setwise", "children": 3, "top": 3},
    {"method": "setwise", "children": 3, "top": 2, "sort": "bubble"},
]


@settings(max_examples=100, deadline=None)
@given(
    RECIPES_TEXTS,
    st.integers(0, 999),
    st.integers(1, 13),
    st.integers(1, 4),
    st.sampled_from([1, 2, 3, 8, 50]),
    st.sampled_from(METHODS),
)
def test_the_result_is_that_of_waiting_for_every_answer(
    texts: tuple[str, list[list[str]]],
    seed: int,
    hits: int,
    queries: int,
    capacity: int,
    numbers: dict[str, Any],
) -> None:
    recipe, shapes = texts
    how = plan(recipe, **numbers)
    engine = StreamedEngine(
        writing(shapes, seed),
        pieces=cut_by(seed),
        turns=lambda piece: len(piece) % 4,
        capacity=capacity,
    )
    items = work(hits, queries)
    cutting = "top" in numbers and how.method.name == "sliding"
    early, waiting = rerank(engine, items, how), rerank(plain(engine), items, how)
    if cutting:  # an answer that was ended has less text and fewer tokens
        early, waiting = unsaid(early), unsaid(waiting)
    assert told(early) == told(waiting)
    assert engine.peak <= capacity and not engine.in_flight


@settings(max_examples=30, deadline=None)
@given(RECIPES_TEXTS, st.integers(0, 999), st.integers(1, 3), st.integers(2, 8))
def test_so_it_is_with_a_cache_and_with_equal_queries_in_one_queue(
    texts: tuple[str, list[list[str]]], seed: int, queries: int, capacity: int
) -> None:
    recipe, shapes = texts
    how = plan(recipe, window=4)
    items = [*work(9, queries), *work(9, queries)]

    async def run(engine: ScriptedEngine, folder: str) -> list[Reranked]:
        cached = CachedEngine(engine, Store(Path(folder) / "store"))
        try:
            return [each async for each in Driver(cached, how).run(items)]
        finally:
            await cached.close()

    turns = lambda piece: len(piece) % 3  # noqa: E731
    engine = StreamedEngine(writing(shapes, seed), pieces=cut_by(seed), turns=turns)
    engine.capacity = capacity
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        early, waiting = asyncio.run(run(engine, one)), asyncio.run(run(plain(engine), other))
        again = asyncio.run(run(ScriptedEngine(None), one))  # type: ignore[arg-type]
    for results in (waiting, again):
        assert told(uncached(early)) == told(uncached(results))
    # Every answer that is used is paid for once, and by somebody who used it.
    paid = {(t.query_id, t.before) for each in early for t in each.traces if not t.cached}
    assert paid == {(t.query_id, t.before) for each in early for t in each.traces}
    assert all(trace.cached for each in again for trace in each.traces)


def uncached(results: Sequence[Reranked]) -> list[Reranked]:
    return [
        each._replace(traces=tuple(replace(trace, cached=False) for trace in each.traces))
        for each in results
    ]


def unsaid(results: Sequence[Reranked]) -> list[Reranked]:
    blank = {"answer": "", "reasoning": "", "finish_reason": "", "completion_tokens": 0}
    blank["prompt_tokens"] = 0
    return [
        each._replace(traces=tuple(replace(trace, **blank) for trace in each.traces))  # type: ignore[arg-type]
        for each in results
    ]


def test_the_next_window_begins_when_its_passages_are_known() -> None:
    engine = StreamedEngine()
    how = plan("rankgpt", window=4)
    listener = Noting()
    (result,) = rerank(engine, work(8), how, listener)
    asked = [place for place, event in enumerate(engine.events) if event[0] == "asked"]
    ended = [place for place, event in enumerate(engine.events) if event[0] == "told"]
    # The second is asked before the first is finished, the third before the second is.
    assert len(asked) == 3 and asked[1] < ended[0] and asked[2] < ended[1]
    assert (listener.taken, engine.count("cancelled")) == (0, 0)
    assert told([result]) == told(rerank(plain(engine), work(8), how))
    assert [trace.stage for trace in listener.answers] == [1, 2, 3]


def test_without_room_nothing_begins_early() -> None:
    for queries, capacity, concurrency in ((1, 8, 1), (1, 1, None), (5, 2, None)):
        engine = StreamedEngine(capacity=capacity)
        rerank(engine, work(8, queries), plan("rankgpt", window=4, concurrency=concurrency))
        assert engine.peak == min(queries, capacity, concurrency or 9)
    engine = StreamedEngine()
    rerank(engine, work(8), plan("rankgpt", window=4, ahead=False))
    assert engine.peak == 1


SECOND = "[1] > [2] > [3] > [4]"


def changing_its_mind(prompt: Prompt) -> str:
    """Order by number in a first answer, and say in a second one that all may stay."""
    first = ids(sorted(range(len(shown(prompt))), key=lambda at: shown(prompt)[at]))
    return f"<think></think><answer>{first}</answer><answer>{SECOND}</answer>"


def test_an_early_ask_is_taken_back_when_the_answer_says_otherwise() -> None:
    engine = StreamedEngine(changing_its_mind)
    listener = Noting()
    results = rerank(engine, work(8), plan(window=4), listener)
    assert told(results) == told(rerank(plain(engine), work(8), plan(window=4)))
    assert results[0].ranking == work(8)[0].ranking
    assert listener.taken == engine.count("asked") - 3 > 0
    assert len(listener.answers) == 3


def test_what_is_taken_back_is_not_kept(tmp_path: Path) -> None:
    def run(engine: StreamedEngine) -> tuple[list[Reranked], int, int]:
        store = Store(tmp_path / "store")

        async def main() -> tuple[list[Reranked], int, int]:
            cached = CachedEngine(engine, store)
            driver = Driver(cached, plan(window=4))
            results = [each async for each in driver.run(work(8))]
            kept = sum(store.info().models.values())
            await cached.close()
            return results, kept, len(engine.requests)

        return asyncio.run(main())

    # The second answer is long: what was begun early is in the middle of its own by its end, or it
    # has ended just before, while the store was busy, and then it is kept.
    engine = StreamedEngine(changing_its_mind, turns=lambda piece: 1 + 5 * (piece == "]"))
    first, kept, asked = run(engine)
    assert 3 <= kept < asked and kept == asked - engine.count("cancelled")
    again, kept_now, asked = run(StreamedEngine(changing_its_mind))
    assert [each.ranking for each in again] == [each.ranking for each in first]
    # All that is needed is there; an answer that is there is finished at once.
    assert (kept_now, asked) == (kept, 0)


def failing_on(text: str, error: Callable[[], Exception]) -> Callable[[Prompt], str]:
    def script(prompt: Prompt) -> str:
        if text in "".join(shown(prompt)):
            raise error()
        return by_number(prompt)

    return script


def test_an_early_ask_that_fails_counts_only_when_it_is_needed() -> None:
    """A first answer brings d07 into the next window, a second one does not."""

    def script(prompt: Prompt) -> str:
        texts = shown(prompt)
        if "passage 04" in texts[2:] and "passage 07" not in texts[:2]:
            raise EngineError("the engine is tired")
        return changing_its_mind(prompt)

    engine = StreamedEngine(script)
    results = rerank(engine, work(8), plan(window=4))
    assert told(results) == told(rerank(plain(engine), work(8), plan(window=4)))


@pytest.mark.parametrize("error", [EngineError, RearankError])
def test_a_needed_ask_that_fails_is_told_with_its_place(error: type[RearankError]) -> None:
    engine = StreamedEngine(failing_on("passage 07", lambda: error("no")))
    engine.script = failing_on("passage 05", lambda: error("no"))
    messages = []
    for each in (engine, plain(engine)):
        with pytest.raises(error) as caught:
            rerank(each, work(8), plan("rankgpt", window=4))
        messages.append(caught.value.message)
    assert messages == ["query q0, ranks 3-6: no"] * 2


class Going(Noting):
    """Lets others go on where a query fails."""

    def failed(self, position: int, error: RearankError) -> bool:
        return True


class Breaking(StreamedEngine):
    """Finds out at the end of the first answer about q0 that it cannot be."""

    async def _stream(self, request: Request, heard: Heard, number: int) -> Completion:
        answer = await super()._stream(request, heard, number)
        if "what is q0" in request.prompt[-1].content:  # type: ignore[union-attr]
            raise RearankError("too much")
        return answer


def test_a_query_that_fails_leaves_nothing_behind() -> None:
    engine = Breaking()

    async def main() -> list[int]:
        stream = Driver(engine, plan("rankgpt", window=4), Going()).stream(work(8, 3))
        return sorted([position async for position, _ in stream])

    assert asyncio.run(main()) == [1, 2]
    assert not engine.in_flight and engine.count("cancelled") == 1


def test_closing_cancels_what_was_begun_early() -> None:
    async def main() -> tuple[int, list[tuple[str, int]]]:
        engine = StreamedEngine(turns=lambda piece: 20)
        stream = Driver(engine, plan("rankgpt", window=4)).stream(work(8))
        waiting = asyncio.ensure_future(anext(stream))
        while engine.count("asked") < 2:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await stream.aclose()
        return engine.in_flight, engine.events

    in_flight, events = asyncio.run(main())
    assert in_flight == 0 and [event for event, _ in events] == ["asked"] * 2 + ["cancelled"] * 2


def test_the_pivot_is_enough_for_the_partitions() -> None:
    engine = StreamedEngine()
    how = plan("rankgpt", "topdown", window=5)
    results = rerank(engine, work(13), how)
    asked = [place for place, event in enumerate(engine.events) if event[0] == "asked"]
    ended = [place for place, event in enumerate(engine.events) if event[0] == "told"]
    assert asked[2] < ended[0]
    assert told(results) == told(rerank(plain(engine), work(13), how))


@pytest.mark.parametrize("others", [0, 1])
def test_requests_of_a_server_begin_early_only_in_slots_that_nobody_needs(others: int) -> None:
    async def main() -> tuple[list[Reranked], StreamedEngine]:
        engine = StreamedEngine()
        shared = SharedEngine(engine, concurrency=2)
        for number in range(others):
            await shared.gate.enter(number)
        driver = Driver(shared.turn(5), plan("rankgpt", window=4))
        return [each async for each in driver.run(work(8))], engine

    results, engine = asyncio.run(main())
    assert told(results) == told(rerank(plain(engine), work(8), plan("rankgpt", window=4)))
    assert engine.peak == 2 - others


class Broken(Noting):
    """Breaks when it hears the first answer, or the first stage that follows from it."""

    def answered(self, trace: AskTrace, expected: int) -> None:
        raise OSError("no room for what was heard")


@pytest.mark.parametrize("queries", [1, 3])
def test_an_error_of_others_ends_the_work_although_something_was_begun_early(queries: int) -> None:
    """What was begun early waits for a word that nobody gives any longer."""
    engine = StreamedEngine(capacity=8)

    async def main() -> None:
        await asyncio.wait_for(results(), timeout=20)

    async def results() -> None:
        driver = Driver(engine, plan(window=10, stride=5), Broken())
        async for _ in driver.run(work(40, queries)):
            pass

    with pytest.raises(OSError, match="no room for what was heard"):
        asyncio.run(main())
    assert engine.in_flight == 0
