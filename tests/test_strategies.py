"""Laws of every strategy, and the figures of each."""

import asyncio
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedEngine, numbered, query

from rearank_cli.methods import STRATEGIES, Shown
from rearank_cli.recipes.recipe import load_recipe
from rearank_cli.records import Ranking
from rearank_cli.report.story import tell
from rearank_cli.reranking.reranker import Candidates, Reranked, Reranker, Settings


def follow(
    name: str, ranking: Ranking, size: int, stride: int
) -> tuple[Ranking, list[list[Shown]]]:
    """Follow a plan with a perfect model, which sorts; return the ranking and the stages."""
    plan = STRATEGIES[name].plan(ranking, size, stride)
    stages = []
    try:
        stage = next(plan)
        while True:
            stages.append(stage)
            stage = plan.send([tuple(sorted(shown.doc_ids)) for shown in stage])
    except StopIteration as end:
        return end.value, stages


def worst(hits: int) -> Ranking:
    return tuple(f"d{n:03}" for n in reversed(range(hits)))


@pytest.mark.parametrize("name", STRATEGIES)
@given(data=st.data(), hits=st.integers(1, 130), size=st.integers(2, 30))
def test_no_strategy_loses_a_passage_or_shows_too_many(
    name: str, data: st.DataObject, hits: int, size: int
) -> None:
    stride = data.draw(st.integers(1, size - 1))
    ranking = tuple(data.draw(st.permutations(worst(hits))))
    new, stages = follow(name, ranking, size, stride)
    shown = [each for stage in stages for each in stage]
    assert sorted(new) == sorted(ranking)
    assert all(1 <= len(each.doc_ids) <= size for each in shown)
    assert all(len(set(each.doc_ids)) == len(each.doc_ids) for each in shown)
    assert {doc_id for each in shown for doc_id in each.doc_ids} == set(ranking)
    assert all(0 <= each.window.start < each.window.stop <= hits for each in shown)
    strategy = STRATEGIES[name]
    assert len(shown) >= strategy.calls(hits, size, stride) - 1
    assert len(stages) >= strategy.path(hits, size, stride) - 1


@pytest.mark.parametrize("name", STRATEGIES)
@given(st.permutations(worst(60)))
def test_a_perfect_model_brings_the_best_ten_to_the_top(name: str, ranking: list[str]) -> None:
    new, _ = follow(name, tuple(ranking), 20, 10)
    assert new[:10] == tuple(f"d{n:03}" for n in range(10))


def test_sliding_over_a_hundred_takes_nine_calls_in_a_row() -> None:
    _, stages = follow("sliding", worst(100), 20, 10)
    assert [len(stage) for stage in stages] == [1] * 9


def test_topdown_over_a_hundred_takes_seven_calls_in_three_stages() -> None:
    """The order is good already but for one passage at the bottom."""
    ranking = (*sorted(worst(100))[1:], "d000")
    new, stages = follow("topdown", ranking, 20, 10)
    assert [len(stage) for stage in stages] == [1, 5, 1]
    assert new[:3] == ("d000", "d001", "d002")
    assert [STRATEGIES["topdown"].calls(100, 20, 10), STRATEGIES["topdown"].path(100, 20, 10)] == [
        7,
        3,
    ]


def test_topdown_shows_the_pivot_with_every_partition() -> None:
    _, stages = follow("topdown", worst(45), 20, 10)
    (top,), partitions = stages[:2]
    assert top.doc_ids == worst(45)[:20]
    assert [each.window for each in partitions] == [(20, 39), (39, 45)]
    assert [each.doc_ids[0] for each in partitions] == ["d034", "d034"]
    assert partitions[1].doc_ids[1:] == worst(45)[39:]


def rerank(settings: Settings, hits: int) -> tuple[Reranked, ScriptedEngine]:
    passages = numbered(hits)
    item = Candidates(query(), tuple(reversed(passages)), passages)
    engine = ScriptedEngine(seconds=lambda prompt: 0.002)

    async def main() -> Reranked:
        run = Reranker(engine, load_recipe("rearank"), settings).run([item])
        return [result async for result in run][0]

    return asyncio.run(main()), engine


def test_the_partitions_of_a_query_are_asked_at_once() -> None:
    result, engine = rerank(Settings(strategy="topdown"), 90)
    assert result.ranking[:10] == tuple(f"d{n:02}" for n in range(10))
    assert engine.peak >= ceil((90 - 20) / 19)
    assert [trace.start for trace in result.traces][:5] == [0, 20, 39, 58, 77]


def test_a_strategy_goes_on_in_a_second_pass_and_keeps_to_the_depth() -> None:
    result, _ = rerank(Settings(strategy="topdown", depth=30, passes=2), 40)
    assert sorted(result.ranking[:30]) == [f"d{n:02}" for n in range(10, 40)]
    assert result.ranking[30:] == tuple(f"d{n:02}" for n in range(9, -1, -1))
    assert {trace.pass_ for trace in result.traces} == {1, 2}


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("hits", [1, 20, 35, 90])
def test_the_trace_alone_tells_the_new_ranking(name: str, hits: int) -> None:
    result, _ = rerank(Settings(strategy=name), hits)
    assert tell("trace", result.traces).new == result.ranking
