"""Scores: how they are averaged, completed, mixed with the first stage's, and sorted by."""

from itertools import permutations
from math import log
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.errors import RearankError
from rearank_cli.methods import Answer, Ask, Hit, make_method
from rearank_cli.methods.consensus import EXACT, nearest
from rearank_cli.methods.samples import merge
from rearank_cli.methods.scoring import first_stage, z_scores
from rearank_cli.methods.seeding import shuffled
from rearank_cli.records import Flaws, Ranking

BM25 = [Hit("a", 9.0), Hit("b", 5.0), Hit("c", 4.0), Hit("d", 1.0)]
LIKELIHOOD = {"a": -4.0, "b": -1.0, "c": -2.0, "d": -5.0}


def point(hits: list[Hit], scores: dict[str, float], **numbers: float) -> dict[str, float]:
    plan = make_method("pointwise", numbers).plan(hits)
    asks = next(plan).asks
    answers = [
        Answer(ask.doc_ids, {doc_id: scores[doc_id] for doc_id in ask.doc_ids if doc_id in scores})
        for ask in asks
    ]
    with pytest.raises(StopIteration) as end:
        plan.send(answers)
    result = end.value.value
    falling = sorted(result.scores.values(), reverse=True)
    assert [result.scores[doc_id] for doc_id in result.ranking] == falling
    return dict(result.scores)


def test_alone_the_models_scores_count_as_they_are() -> None:
    assert point(BM25, LIKELIHOOD) == LIKELIHOOD


def test_a_scale_leaves_the_spread_of_the_models_scores() -> None:
    found = point(BM25, LIKELIHOOD, scale=4.0)
    first = dict(zip("abcd", z_scores([hit.score for hit in BM25]), strict=True))
    for doc_id, score in LIKELIHOOD.items():
        assert found[doc_id] == pytest.approx(first[doc_id] + 4 * (score - -3.0))


def test_a_weight_mixes_standard_scores() -> None:
    found = point(BM25, LIKELIHOOD, first_stage=0.7)
    values, own = [hit.score for hit in BM25], list(LIKELIHOOD.values())
    for place, doc_id in enumerate("abcd"):
        one = (values[place] - fmean(values)) / pstdev(values)
        two = (own[place] - fmean(own)) / pstdev(own)
        assert found[doc_id] == pytest.approx(0.7 * one + 0.3 * two)


def test_a_passage_without_a_score_gets_the_mean_of_the_others() -> None:
    found = point(BM25, {"a": -4.0, "b": -1.0, "d": -1.0})
    assert found["c"] == -2.0


def test_scores_that_are_only_ranks_count_as_minus_the_logarithm_of_the_rank() -> None:
    ranks = [Hit("a", -1.0), Hit("b", -2.0), Hit("c", -3.0)]
    assert first_stage(ranks) == [-log(1), -log(2), -log(3)]
    written = [Hit("a", 3.0), Hit("b", 2.0), Hit("c", 1.0)]
    assert first_stage(written) == first_stage(ranks)
    assert first_stage(BM25) == [9.0, 5.0, 4.0, 1.0]
    assert first_stage([Hit("a", 2.0), Hit("b", 2.0), Hit("c", 2.0)]) == [2.0] * 3


def test_steps_are_even_up_to_six_decimals() -> None:
    ranks = [-log(1), -log(2), -log(3)]
    assert first_stage([Hit("a", 3.0), Hit("b", 2.0000003), Hit("c", 1.0)]) == ranks
    for scores in ([9.4, 8.6, 7.4], [4.0, 3.0, 1.0, 0.0], [3.0, 2.00001, 1.0], [2.0, 1.0], [2.0]):
        assert first_stage([Hit(str(score), score) for score in scores]) == scores


def test_a_spread_of_rounding_errors_is_none() -> None:
    assert z_scores([1e6, 1e6 + 1e-7]) == [0.0, 0.0]
    assert z_scores([0.0, 3e-12]) == [-1.0, 1.0]
    assert z_scores([0.0, 1e-12]) == [0.0, 0.0]


def test_a_weight_may_be_all_or_nothing_and_a_scale_nothing() -> None:
    values, own = [hit.score for hit in BM25], list(LIKELIHOOD.values())
    for numbers, expected in (
        ({"first_stage": 0.0}, z_scores(own)),
        ({"first_stage": 1.0}, z_scores(values)),
        ({"scale": 0.0}, z_scores(values)),
    ):
        assert list(point(BM25, LIKELIHOOD, **numbers).values()) == pytest.approx(expected)


def test_scores_that_do_not_differ_have_no_standard_scores() -> None:
    assert z_scores([0.1 + 0.2, 0.3, 0.3]) == [0.0] * 3
    assert z_scores([]) == []


@pytest.mark.parametrize(
    "wrong",
    [{"scale": 1.0, "first_stage": 0.5}, {"scale": -1.0}, {"first_stage": 1.5}, {"samples": 0}],
)
def test_numbers_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RearankError):
        make_method("pointwise", wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": 1.0, "first_stage": 0.5}, "expected `scale` or `first_stage`, found both"),
        ({"scale": -1.0}, "expected `scale` to be 0 or more, found -1.0"),
        ({"scale": float("inf")}, "expected `scale` to be 0 or more, found inf"),
        ({"first_stage": 1.5}, "expected `first_stage` to be from 0 to 1, found 1.5"),
        ({"first_stage": -0.1}, "expected `first_stage` to be from 0 to 1, found -0.1"),
        ({"samples": 0}, "expected `samples` to be at least 1, found 0"),
    ],
)
def test_what_is_wrong_with_a_mixture_is_said(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(RearankError) as caught:
        make_method("pointwise", wrong)
    assert caught.value.message == message
    both = "both say how the first stage's scores are mixed in, each in its own way"
    assert caught.value.hint == (both if len(wrong) > 1 else "")


@pytest.mark.parametrize("wrong", [{"window": 0}, {"samples": 0}])
def test_groups_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    ((name, number),) = wrong.items()
    with pytest.raises(RearankError) as caught:
        make_method("groups", wrong)
    assert caught.value.message == f"expected `{name}` to be at least 1, found {number}"


def test_samples_of_passages_are_told_apart() -> None:
    stage = next(make_method("pointwise", {"samples": 2}).plan(BM25))
    assert [(ask.doc_ids, ask.sample) for ask in stage.asks] == [
        ((hit.doc_id,), sample) for sample in (0, 1) for hit in BM25
    ]


@pytest.mark.parametrize("shuffle", [False, True])
def test_groups_are_drawn_anew_for_each_sample(shuffle: bool) -> None:
    order = tuple(f"d{n}" for n in range(7))
    hits = [Hit(doc_id, 0.0) for doc_id in order]
    plan = make_method("groups", {"window": 3, "samples": 3, "shuffle": shuffle}).plan(hits)
    drawn: dict[int, list[str]] = {}
    for ask in next(plan).asks:
        drawn.setdefault(ask.sample, []).extend(ask.doc_ids)
    assert [tuple(drawn[sample]) for sample in range(3)] == [
        shuffled(order, 0) if shuffle else order,
        shuffled(order, 1),
        shuffled(order, 2),
    ]


def test_groups_average_over_samples_and_ties_keep_the_first_stages_order() -> None:
    plan = make_method("groups", {"window": 2, "samples": 2}).plan(BM25)
    asks = next(plan).asks
    assert [ask.sample for ask in asks] == [0, 0, 1, 1]
    assert [ask.doc_ids for ask in asks[:2]] == [("a", "b"), ("c", "d")]
    scores = {0: {"a": 1.0, "b": 2.0, "c": 7.0, "d": 2.0}, 1: {"a": 3.0, "b": 2.0, "c": 1.0}}
    with pytest.raises(StopIteration) as end:
        plan.send(
            [
                Answer(
                    ask.doc_ids,
                    {d: scores[ask.sample][d] for d in ask.doc_ids if d in scores[ask.sample]},
                )
                for ask in asks
            ]
        )
    assert end.value.value.ranking == ("c", "a", "b", "d")
    assert end.value.value.scores == {"a": 2.0, "b": 2.0, "c": 4.0, "d": 2.0}


def distance(order: Ranking, other: Ranking) -> int:
    places = {doc_id: place for place, doc_id in enumerate(other)}
    return sum(places[a] > places[b] for i, a in enumerate(order) for b in order[i + 1 :])


@given(st.lists(st.permutations("abcde"), min_size=1, max_size=6))
def test_no_order_is_nearer_to_the_given_ones_than_the_nearest(orders: list[list[str]]) -> None:
    given_orders = [tuple(order) for order in orders]
    found = nearest(given_orders, tuple("abcde"))
    least = min(
        sum(distance(order, each) for each in given_orders) for order in permutations("abcde")
    )
    assert sum(distance(found, each) for each in given_orders) == least


@given(st.permutations(range(30)), st.integers(1, 5))
def test_orders_that_agree_are_their_own_nearest_however_long(
    numbers: list[int], count: int
) -> None:
    order = tuple(f"d{number}" for number in numbers)
    assert nearest([order] * count, tuple(sorted(order))) == order


def test_a_large_knot_is_sorted_by_mean_rank() -> None:
    """Every rotation once: no passage beats all others, and all have the same mean rank."""
    names = tuple(f"d{n:02}" for n in range(EXACT + 1))
    rotations = [(*names[n:], *names[:n]) for n in range(len(names))]
    assert nearest(rotations, names) == names


def test_answers_that_say_nothing_do_not_count_in_a_merge() -> None:
    none = Answer(("a", "b", "c"), flaws=Flaws(no_answer=True))
    said = Answer(("c", "b", "a"))
    assert merge([none, none, said], Ask(("a", "b", "c"))).ranking == ("c", "b", "a")
    assert merge([none, none], Ask(("a", "b", "c"))).ranking == ("a", "b", "c")


def test_scores_are_averaged_in_a_merge() -> None:
    one = Answer(("a", "b"), {"a": 2.0, "b": 1.0})
    two = Answer(("b", "a"), {"a": 0.0, "b": 4.0})
    assert merge([one, two], Ask(("a", "b"))).scores == {"a": 1.0, "b": 2.5}
    assert merge([one, two], Ask(("a", "b"))).ranking == ("b", "a")


def test_shuffles_follow_from_the_documents_and_the_sample_alone() -> None:
    names = [f"d{n}" for n in range(6)]
    assert shuffled(names, 1) == shuffled(names, 1)
    assert shuffled(names, 1) != shuffled(names, 2)
    assert sorted(shuffled(names, 3)) == names
    assert shuffled(names, 1) == ("d4", "d3", "d2", "d5", "d1", "d0")
