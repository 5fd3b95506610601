import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedEngine, by_number, ids, numbered, query, shown

from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.methods import make_method
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Completion, Passage, Prompt
from rearank_cli.reranking.chain import Candidates, Chain, Reranked, Task
from rearank_cli.reranking.driver import Driver, Settings

RECIPE = load_recipe("rearank")


def work(hits: int, name: str = "q1") -> Candidates:
    """Return candidates in the worst order: the highest number first."""
    passages = numbered(hits)
    return Candidates(query(name), tuple(reversed(passages)), passages)


def setup(method: str = "sliding", **given: Any) -> Settings:
    """Return settings; numbers that are a method's own go to the method."""
    own: dict[str, Any] = {
        name: given.pop(name) for name in ("window", "stride", "pivot") if name in given
    }
    return Settings(RECIPE, make_method(method, own), **given)


def rerank(
    engine: ScriptedEngine, items: Sequence[Candidates], how: Settings | None = None
) -> list[Reranked]:
    async def main() -> list[Reranked]:
        return [result async for result in Driver(engine, how or setup()).run(items)]

    return asyncio.run(main())


def numbers(result: Reranked) -> list[int]:
    return [int(doc_id[1:]) for doc_id in result.ranking]


@pytest.mark.parametrize("hits", [1, 2, 19, 20, 21, 25, 30, 57, 99, 100])
def test_the_best_ten_come_up_from_the_bottom_of_any_list(hits: int) -> None:
    (result,) = rerank(ScriptedEngine(), [work(hits)])
    assert numbers(result)[:10] == list(range(min(10, hits)))
    assert sorted(result.ranking) == sorted(numbered(hits))


def test_hits_below_the_depth_follow_in_their_old_order() -> None:
    (result,) = rerank(ScriptedEngine(), [work(30)], setup(depth=10, window=5, stride=2))
    assert numbers(result)[10:] == list(range(19, -1, -1))
    assert sorted(numbers(result)[:10]) == list(range(20, 30))


def test_lists_of_different_lengths_do_not_rule_each_other() -> None:
    items = [work(7, "a"), work(100, "b"), work(30, "c"), Candidates(query("d"), (), {})]
    results = rerank(ScriptedEngine(), items)
    assert [result.query_id for result in results] == ["a", "b", "c", "d"]
    assert [len(result.traces) for result in results] == [1, 9, 2, 0]
    assert numbers(results[1])[:10] == list(range(10))
    assert results[3].ranking == ()


def test_a_second_pass_goes_on_where_the_first_ended() -> None:
    once, twice = (
        rerank(ScriptedEngine(), [work(60)], setup(passes=passes))[0] for passes in (1, 2)
    )
    assert [trace.pass_ for trace in twice.traces] == [1] * 5 + [2] * 5
    assert twice.traces[5].before == once.ranking[40:60]
    assert numbers(twice)[:20] == list(range(20))
    assert numbers(once)[:20] != list(range(20))


def test_traces_say_what_was_asked_said_and_understood() -> None:
    script = lambda prompt: Completion("<think>hm</think><answer>[2]</answer>", "", "stop", 5, 7)  # noqa: E731
    (result,) = rerank(ScriptedEngine(script), [work(3)])
    (trace,) = result.traces
    assert (trace.query_id, trace.query, trace.pass_) == ("q1", "what is q1", 1)
    assert trace.ranks_before == (1, 2, 3)
    assert trace.ranks_after == (2, 1, 3)
    assert trace.before == ("d02", "d01", "d00")
    assert trace.after == ("d01", "d02", "d00")
    assert (trace.reasoning, trace.answer) == ("hm", "[2]")
    assert trace.flaws.missing == (1, 3)
    assert (trace.prompt_tokens, trace.completion_tokens) == (5, 7)
    assert (trace.passage_chars, trace.shortened, trace.cached) == (400, False, False)


def test_reasoning_that_a_server_delivers_apart_is_kept() -> None:
    script = lambda prompt: Completion("[2] > [1]", "thoughts", "stop")  # noqa: E731
    (result,) = rerank(ScriptedEngine(script), [work(2)])
    assert result.traces[0].reasoning == "thoughts"
    assert result.ranking == ("d00", "d01")


def test_no_more_windows_fly_than_allowed_and_all_chains_fly_at_once() -> None:
    items = [work(40, f"q{n}") for n in range(12)]
    capped = ScriptedEngine(seconds=lambda prompt: 0.001)
    rerank(capped, items, setup(concurrency=5))
    assert capped.peak == 5
    free = ScriptedEngine(seconds=lambda prompt: 0.001, capacity=100)
    rerank(free, items)
    assert free.peak == 12


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 45), min_size=1, max_size=6), st.integers(1, 9), st.randoms())
def test_results_depend_neither_on_timing_nor_on_concurrency(
    lengths: list[int], concurrency: int, random: Random
) -> None:
    items = [work(hits, f"q{n}") for n, hits in enumerate(lengths)]
    how = setup(window=6, stride=3)
    expected = rerank(ScriptedEngine(), items, how)
    slow = ScriptedEngine(seconds=lambda prompt: random.random() / 1000)
    found = rerank(slow, items, setup(window=6, stride=3, concurrency=concurrency))
    assert [(each.query_id, each.ranking) for each in found] == [
        (each.query_id, each.ranking) for each in expected
    ]


def test_an_engine_that_fails_fails_the_work_and_names_query_and_ranks() -> None:
    def script(prompt: Prompt) -> str:
        if "what is q2" in prompt[1].content and "passage 00" not in shown(prompt):
            raise EngineError("the engine died", "see the log")
        return f"<answer>{ids(range(len(shown(prompt))))}</answer>"

    engine = ScriptedEngine(script, seconds=lambda prompt: 0.001)
    with pytest.raises(EngineError) as caught:
        rerank(engine, [work(10, "q1"), work(10, "q2")], setup(window=4, stride=2))
    assert caught.value.message == "query q2, ranks 5-8: the engine died"
    assert caught.value.hint == "see the log"
    assert engine.in_flight == 0


def test_an_engine_that_never_started_blames_no_window() -> None:
    def script(prompt: Prompt) -> str:
        raise EngineStartError("no memory")

    with pytest.raises(EngineStartError) as caught:
        rerank(ScriptedEngine(script), [work(3)])
    assert caught.value.message == "no memory"


def limited(limit: int) -> ScriptedEngine:
    """Return an engine that takes prompts of so many characters and answers with an order."""

    def script(prompt: Prompt) -> str:
        size = sum(len(message.content) for message in prompt)
        if size > limit:
            raise PromptTooLong(size, limit)
        return "<answer>[2] > [1]</answer>"

    return ScriptedEngine(script)


def test_a_prompt_that_is_too_long_gets_shorter_passages_and_the_trace_says_so() -> None:
    long = {name: Passage(name, f"{name} " * 100) for name in ("a", "b")}
    item = Candidates(query(), ("a", "b"), long)
    empty = sum(len(message.content) for message in RECIPE.render("what is q1", ["", ""]))
    (result,) = rerank(limited(empty + 250), [item])
    trace = result.traces[0]
    assert result.ranking == ("b", "a")
    assert trace.shortened
    assert 16 <= trace.passage_chars <= 125


def test_a_query_that_does_not_fit_at_all_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(RearankError) as caught:
        rerank(limited(10), [work(3)])
    assert caught.value.message.startswith("query q1, ranks 1-3: the query does not fit the model")
    assert not isinstance(caught.value, EngineError)


def test_passages_are_shown_in_order_with_their_text_prepared() -> None:
    engine = ScriptedEngine()
    passages = {"a": Passage("a", "one\n 01"), "b": Passage("b", "two<|im_end|> 02", "T")}
    rerank(engine, [Candidates(query(), ("b", "a"), passages)])
    assert shown(engine.prompts[0]) == ["Title: T Content: two< |im_end| > 02", "one 01"]


def test_a_query_is_planned_when_it_is_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Chain] = []
    planned = Chain.start

    def start(chain: Chain) -> Sequence[Task]:
        held.append(chain)
        return planned(chain)

    monkeypatch.setattr(Chain, "start", start)
    under_way: list[int] = []

    def script(prompt: Prompt) -> str:
        under_way.append(sum(chain.result is None for chain in held))
        return by_number(prompt)

    items = [work(25, f"q{number}") for number in range(40)]
    assert len(rerank(ScriptedEngine(script), items, setup(concurrency=3))) == 40
    assert max(under_way) <= 6  # three in flight, and no more than three that are to follow


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 0},
        {"passes": 0},
        {"concurrency": 0},
        {"passage_chars": 0},
        {"stride": 20},
        {"method": "bubble"},
        {"pivot": 3},
        {"window": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RearankError):
        setup(**wrong)
