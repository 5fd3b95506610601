"""Laws of every method, and the figures of each."""

import asyncio
from collections.abc import Callable
from itertools import permutations
from math import ceil
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedEngine, numbered, query

from rearank_cli.errors import RearankError
from rearank_cli.methods import METHODS, Answer, Ask, Hit, Stage, make_method, numbers_of
from rearank_cli.methods.seeding import shuffled
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Flaws, Ranking
from rearank_cli.report.story import tell
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Settings

Judge = Callable[[Ask], Answer]


def perfect(ask: Ask) -> Answer:
    """Sort by name, and score so."""
    scores = {doc_id: -float(doc_id[1:]) for doc_id in ask.doc_ids}
    return Answer(tuple(sorted(ask.doc_ids)), scores)


def follow(
    name: str, ranking: Ranking, judge: Judge = perfect, **numbers: Any
) -> tuple[Ranking, list[Stage]]:
    """Follow a plan, by default with a perfect model; return the ranking and the stages."""
    hits = [Hit(doc_id, -float(rank)) for rank, doc_id in enumerate(ranking)]
    plan = make_method(name, numbers).plan(hits)
    stages = []
    try:
        stage = next(plan)
        while True:
            stages.append(stage)
            stage = plan.send([judge(ask) for ask in stage.asks])
    except StopIteration as end:
        return end.value.ranking, stages


def worst(hits: int) -> Ranking:
    return tuple(f"d{n:03}" for n in reversed(range(hits)))


def drawn_numbers(name: str, data: st.DataObject) -> dict[str, Any]:
    """Return numbers of a method that can work."""
    window = st.integers(2, 30)
    if name in ("sliding", "topdown"):
        size = data.draw(window)
        own = {"sliding": "stride", "topdown": "pivot"}[name]
        return {
            "window": size,
            own: data.draw(st.integers(1, size - 1)),
            "samples": data.draw(st.integers(1, 3)),
            "shuffle": data.draw(st.booleans()),
        }
    if name == "setwise":
        return {
            "children": data.draw(st.integers(1, 25)),
            "top": data.draw(st.integers(1, 15)),
            "sort": data.draw(st.sampled_from(["heap", "bubble"])),
        }
    if name == "groups":
        return {
            "window": data.draw(window),
            "samples": data.draw(st.integers(1, 3)),
            "shuffle": data.draw(st.booleans()),
        }
    mixture = data.draw(st.sampled_from([{}, {"scale": 4.0}, {"first_stage": 0.5}]))
    return {"samples": data.draw(st.integers(1, 2)), **mixture}


@pytest.mark.parametrize("name", METHODS)
@given(data=st.data(), hits=st.integers(1, 130), seed=st.integers(0, 9999))
def test_no_method_loses_a_passage_or_shows_too_many_whatever_the_answers(
    name: str, data: st.DataObject, hits: int, seed: int
) -> None:
    """The judge is as bad as can be: any order, and scores for some, none or all."""
    random = Random(seed)

    def judge(ask: Ask) -> Answer:
        order = tuple(random.sample(ask.doc_ids, len(ask.doc_ids)))
        scored = order[: random.randint(0, len(order))]
        flaws = Flaws(no_answer=random.random() < 0.2)
        return Answer(order, {doc_id: random.uniform(-5, 5) for doc_id in scored}, flaws)

    numbers = drawn_numbers(name, data)
    method = make_method(name, numbers)
    ranking = tuple(data.draw(st.permutations(worst(hits))))
    new, stages = follow(name, ranking, judge, **numbers)
    asks = [ask for stage in stages for ask in stage.asks]
    assert sorted(new) == sorted(ranking)
    assert all(1 <= len(ask.doc_ids) <= method.window for ask in asks)
    assert all(len(set(ask.doc_ids)) == len(ask.doc_ids) for ask in asks)
    assert all(sorted(stage.ranking) == sorted(ranking) for stage in stages)
    assert all(stage.asks for stage in stages)
    if hits > 1:
        assert {doc_id for ask in asks for doc_id in ask.doc_ids} == set(ranking)


@pytest.mark.parametrize("name", ["sliding", "groups", "pointwise"])
@given(data=st.data(), hits=st.integers(1, 130))
def test_calls_and_path_are_exact_where_they_do_not_depend_on_answers(
    name: str, data: st.DataObject, hits: int
) -> None:
    numbers = drawn_numbers(name, data)
    _, stages = follow(name, worst(hits), **numbers)
    method = make_method(name, numbers)
    assert sum(len(stage.asks) for stage in stages) == method.calls(hits)
    assert len(stages) == method.path(hits)


BEST: dict[str, dict[str, Any]] = {
    "sliding": {},
    "topdown": {},
    "setwise": {"sort": "heap"},
    "groups": {},
    "pointwise": {"scale": 1000.0},
}


@pytest.mark.parametrize("name", METHODS)
@given(st.permutations(worst(60)))
def test_a_perfect_model_brings_the_best_ten_to_the_top(name: str, ranking: list[str]) -> None:
    new, _ = follow(name, tuple(ranking), **BEST[name])
    assert new[:10] == tuple(f"d{n:03}" for n in range(10))


@given(st.permutations(worst(60)), st.data())
def test_the_best_of_a_sort_are_right_whatever_its_numbers(
    ranking: list[str], data: st.DataObject
) -> None:
    numbers = drawn_numbers("setwise", data)
    new, _ = follow("setwise", tuple(ranking), **numbers)
    best = tuple(f"d{n:03}" for n in range(numbers["top"]))
    assert new[: numbers["top"]] == best
    assert new[numbers["top"] :] == tuple(each for each in ranking if each not in best)


@pytest.mark.parametrize("children", [1, 2])
@pytest.mark.parametrize("sort", ["heap", "bubble"])
def test_every_order_of_five_is_sorted(sort: str, children: int) -> None:
    for order in permutations(worst(5)):
        new, _ = follow("setwise", order, children=children, sort=sort)
        assert new == tuple(sorted(order))


@given(st.permutations(worst(50)), st.integers(1, 4))
def test_asking_a_perfect_model_more_often_changes_nothing(
    ranking: list[str], samples: int
) -> None:
    for name in ("sliding", "topdown"):
        once, _ = follow(name, tuple(ranking))
        often, stages = follow(name, tuple(ranking), samples=samples, shuffle=True)
        assert often == once
        assert all(len(stage.asks) % samples == 0 for stage in stages)


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
    assert caught.value.hint == "it has window, pivot, top, samples, shuffle"


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        (
            "bubble",
            {},
            "expected `method` to be sliding or topdown or setwise or groups or "
            "pointwise, found 'bubble'",
        ),
        (
            "sliding",
            {"window": "20"},
            "the method sliding: expected `window` to be int, found '20'",
        ),
        ("sliding", {"window": 2.5}, "the method sliding: expected `window` to be int, found 2.5"),
        (
            "sliding",
            {"stride": True},
            "the method sliding: expected `stride` to be int, found True",
        ),
        ("sliding", {"shuffle": 1}, "the method sliding: expected `shuffle` to be bool, found 1"),
        (
            "pointwise",
            {"scale": "4"},
            "the method pointwise: expected `scale` to be float, found '4'",
        ),
        ("setwise", {"sort": 1}, "the method setwise: expected `sort` to be str, found 1"),
        ("setwise", {"sort": "quick"}, "expected `sort` to be heap or bubble, found 'quick'"),
        ("setwise", {"children": 0}, "expected `children` to be at least 1, found 0"),
        ("setwise", {"top": 0}, "expected `top` to be at least 1, found 0"),
        ("sliding", {"samples": 0}, "expected `samples` to be at least 1, found 0"),
        ("topdown", {"samples": 0}, "expected `samples` to be at least 1, found 0"),
        ("topdown", {"top": 0}, "expected `top` to be at least 1, found 0"),
        ("topdown", {"window": 1}, "expected `window` to be at least 2, found 1"),
        (
            "topdown",
            {"pivot": 20},
            "expected a pivot between 1 and 19 (the window is 20), found 20",
        ),
        ("topdown", {"pivot": 0}, "expected a pivot between 1 and 19 (the window is 20), found 0"),
    ],
)
def test_numbers_that_cannot_work_are_named(
    name: str, numbers: dict[str, Any], message: str
) -> None:
    with pytest.raises(RearankError) as caught:
        make_method(name, numbers)
    assert caught.value.message == message


def test_the_smallest_numbers_work_and_none_keeps_the_default() -> None:
    assert make_method() == Sliding() == make_method("sliding", {"window": None, "stride": None})
    make_method("sliding", {"window": 2, "stride": 1, "samples": 1})
    make_method("topdown", {"window": 2, "pivot": 1, "top": 1, "samples": 1})
    make_method("setwise", {"children": 1, "top": 1})
    make_method("pointwise", {"scale": 4})
    assert numbers_of("setwise") == ["children", "top", "sort"]


@pytest.mark.parametrize("name", ["sliding", "topdown"])
def test_one_prompt_is_repeated_where_samples_are_not_shuffled(name: str) -> None:
    repeats = {
        (samples, shuffle): make_method(name, {"samples": samples, "shuffle": shuffle}).repeats
        for samples in (1, 2)
        for shuffle in (False, True)
    }
    assert [each for each, is_so in repeats.items() if is_so] == [(2, False)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_samples_are_told_apart_and_only_the_others_are_shuffled(shuffle: bool) -> None:
    order = worst(8)
    hits = [Hit(doc_id, 0.0) for doc_id in order]
    plan = make_method("topdown", {"window": 4, "samples": 3, "shuffle": shuffle}).plan(hits)
    first = next(plan)
    asked = [order[:4], *(shuffled(order[:4], n) if shuffle else order[:4] for n in (1, 2))]
    assert first == Stage([Ask(shown, None, n) for n, shown in enumerate(asked)], order)
    low_first = tuple(reversed(order[:4]))
    second = plan.send([Answer(order[:4]), Answer(low_first), Answer(low_first)])
    assert second.ranking == (*low_first, *order[4:])
    assert [(ask.sample, ask.doc_ids[0]) for ask in second.asks if ask.sample == 0] == [
        (0, low_first[1]),
        (0, low_first[1]),
    ]


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


@pytest.mark.parametrize(
    ("hits", "calls", "path"), [(2, 1, 1), (20, 1, 1), (21, 3, 3), (39, 3, 3), (40, 4, 3)]
)
def test_topdown_estimates_a_stage_for_up_to_a_window_and_three_beyond(
    hits: int, calls: int, path: int
) -> None:
    method = make_method("topdown")
    assert (method.calls(hits), method.path(hits)) == (calls, path)
    thrice = make_method("topdown", {"samples": 3})
    assert (thrice.calls(hits), thrice.path(hits)) == (3 * calls, path)


@pytest.mark.parametrize(
    ("sort", "top", "hits", "calls", "path"),
    [
        # Levels of 1, 3 and 9 passages: 4 nodes have others below them, on 2 levels.
        ("heap", 10, 13, 4 + 9 * 2, 10 * 2),
        ("heap", 2, 13, 4 + 1 * 2, 2 * 2),
        ("heap", 10, 5, 2 + 3 * 2, 4 * 2),
        ("heap", 10, 6, 2 + 4 * 2, 5 * 2),
        ("heap", 10, 7, 2 + 5 * 2, 6 * 2),
        ("heap", 10, 2, 1, 1),
        # Windows of 4 that share one passage; from the second time on half of them.
        ("bubble", 10, 13, 4 + 9 * 2, 4 + 9 * 2),
        ("bubble", 2, 12, 4 + 1 * 2, 4 + 1 * 2),
        ("bubble", 10, 14, 5 + 9 * 3, 5 + 9 * 3),
        ("bubble", 10, 5, 2 + 3 * 1, 2 + 3 * 1),
        ("bubble", 10, 2, 1, 1),
    ],
)
def test_estimates_of_a_sort_with_three_children(
    sort: str, top: int, hits: int, calls: int, path: int
) -> None:
    method = make_method("setwise", {"children": 3, "top": top, "sort": sort})
    assert (method.calls(hits), method.path(hits)) == (calls, path)


def test_the_nodes_of_a_level_of_the_heap_are_asked_about_at_once() -> None:
    _, stages = follow("setwise", worst(13), children=3, top=1)
    assert [len(stage.asks) for stage in stages][:2] == [3, 1]
    assert [ask.doc_ids for ask in stages[0].asks] == [
        tuple(worst(13)[node] for node in family)
        for family in ((1, 4, 5, 6), (2, 7, 8, 9), (3, 10, 11, 12))
    ]
    (only,) = follow("setwise", worst(4), children=3, top=1)[1]  # and no more than is wanted
    assert only.asks == [Ask(worst(4), needs=1)]


@pytest.mark.parametrize("sort", ["heap", "bubble"])
@pytest.mark.parametrize("children", [1, 3])
@pytest.mark.parametrize("hits", [2, 3, 4, 5, 9])
def test_a_sort_of_fewer_hits_than_are_wanted_sorts_them_all(
    sort: str, children: int, hits: int
) -> None:
    new, stages = follow("setwise", worst(hits), children=children, sort=sort)
    assert new == tuple(sorted(worst(hits)))
    asks = [frozenset(ask.doc_ids) for stage in stages for ask in stage.asks]
    assert all(ask.needs == 1 for stage in stages for ask in stage.asks)
    assert all(len(shown) > 1 for shown in asks)
    if sort == "bubble":
        assert len(set(asks)) == len(asks)  # what is known is not asked again


def test_topdown_ends_where_nothing_rose_above_the_pivot() -> None:
    _, stages = follow("topdown", tuple(sorted(worst(45))))
    assert [len(stage.asks) for stage in stages] == [1, 2]
    assert stages[0].asks[0].needs == 10
    (only,) = follow("topdown", worst(10))[1]
    assert only.asks[0].needs is None


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


@pytest.mark.parametrize("name", ["sliding", "topdown", "setwise"])
@pytest.mark.parametrize("hits", [2, 20, 35, 90])
def test_the_trace_alone_tells_the_new_ranking(name: str, hits: int) -> None:
    result, _ = rerank(hits, name)
    assert tell("trace", result.traces).new == result.ranking
