"""Laws of every method, and the figures of each."""

import asyncio
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedEngine, numbered, query

from rearank_cli.errors import RearankError
from rearank_cli.methods import METHODS, Answer, Hit, Stage, make_method
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.recipe import load_recipe
from rearank_cli.records import Ranking
from rearank_cli.report.story import tell
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Settings


def follow(name: str, ranking: Ranking, **numbers: Any) -> tuple[Ranking, list[Stage]]:
    """Follow a plan with a perfect model, which sorts; return the ranking and the stages."""
    hits = [Hit(doc_id, -float(rank)) for rank, doc_id in enumerate(ranking)]
    plan = make_method(name, numbers).plan(hits)
    stages = []
    try:
        stage = next(plan)
        while True:
            stages.append(stage)
            stage = plan.send([Answer(tuple(sorted(ask.doc_ids))) for ask in stage.asks])
    except StopIteration as end:
        return end.value.ranking, stages


def worst(hits: int) -> Ranking:
    return tuple(f"d{n:03}" for n in reversed(range(hits)))


@pytest.mark.parametrize("name", METHODS)
@given(data=st.data(), hits=st.integers(1, 130), window=st.integers(2, 30))
def test_no_method_loses_a_passage_or_shows_too_many(
    name: str, data: st.DataObject, hits: int, window: int
) -> None:
    number = data.draw(st.integers(1, window - 1))
    numbers = {"window": window, {"sliding": "stride", "topdown": "pivot"}[name]: number}
    ranking = tuple(data.draw(st.permutations(worst(hits))))
    new, stages = follow(name, ranking, **numbers)
    asks = [ask for stage in stages for ask in stage.asks]
    assert sorted(new) == sorted(ranking)
    assert all(2 <= len(ask.doc_ids) <= window for ask in asks)
    assert all(len(set(ask.doc_ids)) == len(ask.doc_ids) for ask in asks)
    assert all(sorted(stage.ranking) == sorted(ranking) for stage in stages)
    if hits > 1:
        assert {doc_id for ask in asks for doc_id in ask.doc_ids} == set(ranking)
    method = make_method(name, numbers)
    assert len(asks) >= method.calls(hits) - 1
    assert len(stages) >= method.path(hits) - 1


@pytest.mark.parametrize("name", METHODS)
@given(st.permutations(worst(60)))
def test_a_perfect_model_brings_the_best_ten_to_the_top(name: str, ranking: list[str]) -> None:
    new, _ = follow(name, tuple(ranking))
    assert new[:10] == tuple(f"d{n:03}" for n in range(10))


@given(st.permutations(worst(60)), st.integers(2, 25), st.data())
def test_the_best_ten_are_right_whatever_the_pivot(
    ranking: list[str], window: int, data: st.DataObject
) -> None:
    pivot = data.draw(st.integers(1, window - 1))
    new, _ = follow("topdown", tuple(ranking), window=window, pivot=pivot)
    assert new[:10] == tuple(f"d{n:03}" for n in range(10))


@given(st.permutations(worst(60)), st.integers(3, 30), st.data())
def test_what_the_next_window_shows_is_known_once_the_needed_ranks_are(
    ranking: list[str], window: int, data: st.DataObject
) -> None:
    """`needs` is how much of an answer decides what is asked next."""
    stride = data.draw(st.integers(1, window - 1))
    hits = [Hit(doc_id, 0.0) for doc_id in ranking]
    whole, part = (Sliding(window, stride).plan(hits) for _ in range(2))
    stage, early = next(whole), next(part)
    while stage.asks[0].needs is not None:
        (ask,) = stage.asks
        answer = tuple(sorted(ask.doc_ids))
        rest = [doc_id for doc_id in ask.doc_ids if doc_id not in answer[: ask.needs]]
        stage = whole.send([Answer(answer)])
        early = part.send([Answer((*answer[: ask.needs], *rest))])
        assert stage.asks == early.asks
    assert early.asks[0].needs is None


def test_the_default_stride_and_pivot_are_half_the_window() -> None:
    assert Sliding(5).step == 2
    assert make_method("topdown", {"window": 8}) == make_method("topdown", {"window": 8})
    _, stages = follow("topdown", worst(12), window=8)
    assert stages[1].asks[0].doc_ids[0] == sorted(worst(12)[:8])[3]


@pytest.mark.parametrize("name", METHODS)
def test_a_single_hit_is_not_asked_about(name: str) -> None:
    assert follow(name, ("d1",)) == (("d1",), [])
    assert make_method(name).calls(1) == make_method(name).path(1) == 0


def test_a_number_that_is_not_the_methods_own_is_refused_with_those_that_are() -> None:
    with pytest.raises(RearankError) as caught:
        make_method("topdown", {"stride": 5})
    assert caught.value.message == "the method topdown has no stride"
    assert caught.value.hint == "it has window, pivot, top"


def test_sliding_over_a_hundred_takes_nine_calls_in_a_row() -> None:
    _, stages = follow("sliding", worst(100))
    assert [len(stage.asks) for stage in stages] == [1] * 9


def test_topdown_over_a_hundred_takes_seven_calls_in_three_stages() -> None:
    """The order is good already but for one passage at the bottom."""
    ranking = (*sorted(worst(100))[1:], "d000")
    new, stages = follow("topdown", ranking)
    assert [len(stage.asks) for stage in stages] == [1, 5, 1]
    assert new[:3] == ("d000", "d001", "d002")
    method = make_method("topdown")
    assert (method.calls(100), method.path(100)) == (7, 3)


def test_topdown_shows_the_pivot_with_every_partition() -> None:
    _, stages = follow("topdown", worst(45))
    (top,), partitions = stages[0].asks, stages[1].asks
    assert top.doc_ids == worst(45)[:20]
    assert [ask.doc_ids[0] for ask in partitions] == ["d034", "d034"]
    assert [ask.doc_ids[1:] for ask in partitions] == [worst(45)[20:39], worst(45)[39:]]


def rerank(
    hits: int, name: str = "topdown", depth: int = 100, passes: int = 1
) -> tuple[Reranked, ScriptedEngine]:
    passages = numbered(hits)
    item = Candidates(query(), tuple(reversed(passages)), passages)
    engine = ScriptedEngine(seconds=lambda prompt: 0.002)
    settings = Settings(load_recipe("rearank"), make_method(name), depth, passes)

    async def main() -> Reranked:
        return [result async for result in Driver(engine, settings).run([item])][0]

    return asyncio.run(main()), engine


def test_the_partitions_of_a_query_are_asked_at_once() -> None:
    result, engine = rerank(90)
    assert result.ranking[:10] == tuple(f"d{n:02}" for n in range(10))
    assert engine.peak >= ceil((90 - 20) / 19)
    assert [trace.ranks for trace in result.traces][:3] == ["1-20", "10, 21-39", "10, 40-58"]


def test_a_method_goes_on_in_a_second_pass_and_keeps_to_the_depth() -> None:
    result, _ = rerank(40, depth=30, passes=2)
    assert sorted(result.ranking[:30]) == [f"d{n:02}" for n in range(10, 40)]
    assert result.ranking[30:] == tuple(f"d{n:02}" for n in range(9, -1, -1))
    assert {trace.pass_ for trace in result.traces} == {1, 2}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("hits", [2, 20, 35, 90])
def test_the_trace_alone_tells_the_new_ranking(name: str, hits: int) -> None:
    result, _ = rerank(hits, name)
    assert tell("trace", result.traces).new == result.ranking
