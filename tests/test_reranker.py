"""The face: a model, a recipe, a method; with and without an event loop of the caller's."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from scripted import ScriptedEngine, numbered, query

from rearank_cli.errors import EngineError, RearankError
from rearank_cli.records import Passage, Prompt, Query, Run
from rearank_cli.reranking.driver import Listener
from rearank_cli.reranking.reranker import Reranker
from rearank_cli.reranking.trace import AskTrace


@dataclass(frozen=True)
class Numbers:
    """A collection whose passages say their number."""

    name: str = "numbers"

    def queries(self) -> Mapping[str, Query]:
        return {name: query(name) for name in ("q1", "q2", "q3")}

    def passages(self, doc_ids: set[str]) -> Mapping[str, Passage]:
        return {doc_id: text for doc_id, text in numbered(60).items() if doc_id in doc_ids}


def worst(hits: int = 30, queries: int = 3) -> Run:
    ranking = tuple(reversed(numbered(hits)))
    return Run.by_rank({f"q{n + 1}": ranking for n in range(queries)}, "first")


BEST = tuple(f"d{n:02}" for n in range(10))


def test_a_run_goes_in_and_a_better_one_comes_out() -> None:
    engine = ScriptedEngine()
    with Reranker(engine=engine) as reranker:
        new = reranker.rerank(worst(), Numbers())
        again = reranker.rerank(worst(), Numbers())
    assert list(new.rankings) == ["q1", "q2", "q3"]
    assert all(ranking[:10] == BEST for ranking in new.rankings.values())
    assert again == new
    assert (engine.opened, engine.closed) == (1, 1)


def test_it_works_where_an_event_loop_is_running_already() -> None:
    """As in a notebook, whose cells run inside one."""

    async def cell() -> Run:
        with Reranker(engine=ScriptedEngine()) as reranker:
            return reranker.rerank(worst(), Numbers())

    assert asyncio.run(cell()).rankings["q1"][:10] == BEST


def test_it_can_be_awaited_from_both_kinds_of_with() -> None:
    async def native() -> Run:
        async with Reranker(engine=ScriptedEngine()) as reranker:
            return await reranker.arerank(worst(), Numbers())

    async def bridged() -> tuple[Run, int]:
        """The caller's loop goes on while it waits."""
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.001)

        engine = ScriptedEngine(seconds=lambda prompt: 0.01)
        with Reranker(engine=engine) as reranker:
            beside = asyncio.create_task(other())
            new = await reranker.arerank(worst(), Numbers())
            beside.cancel()
        return new, turns

    new, turns = asyncio.run(bridged())
    assert asyncio.run(native()) == new
    assert turns > 5


def test_results_stream_as_they_are_done_and_stopping_early_stops_the_work() -> None:
    engine = ScriptedEngine(seconds=lambda prompt: 0.001, capacity=1)
    with Reranker(engine=engine) as reranker:
        work = reranker.candidates(worst(), Numbers())
        for result in reranker.stream(work):
            assert result.ranking[:10] == BEST
            break
        asked = len(engine.prompts)
        assert asked < 3 * 2
        assert engine.in_flight == 0
    assert len(engine.prompts) == asked


def test_a_listener_hears_every_answer_and_how_many_there_will_be() -> None:
    class Heard(Listener):
        def __init__(self) -> None:
            self.expected: list[int] = []
            self.settled_: list[AskTrace] = []

        def answered(self, trace: AskTrace, expected: int) -> None:
            self.expected.append(expected)

        def settled(self, traces: Sequence[AskTrace]) -> None:
            self.settled_.extend(traces)

    heard = Heard()
    with Reranker(engine=ScriptedEngine(), method="topdown") as reranker:
        reranker.rerank(worst(60), Numbers(), heard)
    assert heard.expected[-1] == len(heard.expected) == len(heard.settled_)
    assert all(len(trace.ranks_after) == len(trace.before) for trace in heard.settled_)


def test_an_engine_that_fails_to_open_leaves_no_thread() -> None:
    class Broken(ScriptedEngine):
        async def open(self) -> None:
            raise EngineError("no")

    before = threading.active_count()
    engine = Broken()
    with pytest.raises(EngineError), Reranker(engine=engine):
        pass
    assert threading.active_count() == before
    assert engine.closed == 1


def test_outside_of_with_there_is_an_error_that_says_so() -> None:
    reranker = Reranker(engine=ScriptedEngine())
    with pytest.raises(RuntimeError, match="with Reranker"):
        reranker.rerank(worst(), Numbers())


def test_ids_of_another_collection_are_named() -> None:
    run = Run.by_rank({"other": ("d01",)}, "first")
    with Reranker(engine=ScriptedEngine()) as reranker:
        with pytest.raises(RearankError, match="query other is not in numbers"):
            reranker.rerank(run, Numbers())


def test_an_interrupt_cancels_what_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import Future

    engine = ScriptedEngine(seconds=lambda prompt: 30.0)
    result = Future.result

    def interrupted(self: "Future[object]", timeout: float | None = None) -> object:
        """Ctrl-C reaches the main thread while it waits."""
        if engine.in_flight and not self.done():
            raise KeyboardInterrupt
        while not self.done() and not engine.in_flight:
            threading.Event().wait(0.001)
        if self.done():
            return result(self, timeout)
        raise KeyboardInterrupt

    with Reranker(engine=engine) as reranker:
        monkeypatch.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reranker.rerank(worst(), Numbers())
        monkeypatch.undo()
        assert engine.in_flight == 0


def test_what_can_be_known_to_be_wrong_is_told_before_a_model_is_started() -> None:
    def script(prompt: Prompt) -> str:
        raise AssertionError("asked")

    with pytest.raises(RearankError, match="has no stride"):
        Reranker(engine=ScriptedEngine(script), method="topdown", numbers={"stride": 3})
    with pytest.raises(RearankError, match="expected a recipe"):
        Reranker(engine=ScriptedEngine(script), recipe="nothing")
