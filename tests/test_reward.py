"""The reward: definitions by hand, agreement with the program's measure and parser, corners."""

from itertools import permutations, product
from math import log2
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.evaluation.measures import parse_measures
from rearank_cli.evaluation.scoring import Scorer
from rearank_cli.methods.answers.order import parse
from rearank_cli.records import Run
from rearank_cli.training.reward import (
    Parts,
    Shown,
    Weights,
    dcg,
    list_reward,
    loss_reward,
    ndcg,
    rank_reward,
    recall_reward,
    score,
    tag_reward,
)

GOOD = "<think>[2] names it.</think>\n<answer> [2] > [1] > [3] </answer>"
grade_lists = st.lists(st.integers(-1, 3), min_size=2, max_size=25)


def test_dcg_by_hand() -> None:
    assert dcg([3, 0, 2]) == pytest.approx(3 + 2 / log2(4))
    assert dcg([0] * 10 + [3]) == 0
    assert dcg([-1, 1]) == pytest.approx(1 / log2(3))


def test_rank_reward_by_hand() -> None:
    grades = [0, 1, 2]
    assert rank_reward([0, 1, 2], grades) == 0
    assert rank_reward([2, 1, 0], grades) == 1
    initial, best = 1 / log2(3) + 1, 2 + 1 / log2(3)
    middle = 2 + 1 / 2
    assert rank_reward([2, 0, 1], grades) == pytest.approx((middle - initial) / (best - initial))


def test_rank_reward_is_undefined_when_nothing_can_be_gained() -> None:
    assert rank_reward([1, 0], [2, 1]) is None
    assert rank_reward([1, 0], [0, 0]) is None
    assert score("[2] > [1]", Shown([1, 0], thinks=False)).total(Weights()) is None


def test_a_list_in_ideal_order_can_only_lose() -> None:
    grades = [2, 1, 0]
    worths = {order: loss_reward(order, grades) for order in permutations(range(3))}
    assert worths[0, 1, 2] == 0 and worths[2, 1, 0] == -1
    assert all(-1 < worth < 0 for worth in list(worths.values())[1:-1] if worth is not None)
    best, worst = 2 + 1 / log2(3), 1 / log2(3) + 1
    assert worths[0, 2, 1] == pytest.approx((2.5 - best) / (best - worst))
    assert loss_reward([1, 0], [1, 1]) is None


def test_ideal_lists_count_only_where_they_are_kept() -> None:
    kept = score("[2] > [1]", Shown([1, 0], thinks=False), keep_ideal=True)
    assert kept.rank == -1
    assert score("[1] > [2]", Shown([1, 0], thinks=False), keep_ideal=True).rank == 0
    improved = score("[2] > [1]", Shown([0, 1], thinks=False), keep_ideal=True)
    assert improved.rank == 1  # others are worth what they always are
    assert score("[2] > [1]", Shown([1, 1], thinks=False), keep_ideal=True).rank is None


def test_dropping_ideal_lists_rewards_distrust_of_short_lists() -> None:
    """Why `keep_ideal` is there: judged at random, no fixed order of five should pay off."""
    lists = [grades for grades in product((0, 1), repeat=5) if 0 < sum(grades) < 5]

    def worth(order: tuple[int, ...], keep_ideal: bool) -> float:
        said = " > ".join(f"[{index + 1}]" for index in order)
        scored = [score(said, Shown(each, thinks=False), keep_ideal=keep_ideal) for each in lists]
        return mean(each.ndcg for each in scored if each.rank is not None)

    shown, swapped = (0, 1, 2, 3, 4), (1, 0, 2, 3, 4)
    assert worth(swapped, keep_ideal=True) == pytest.approx(worth(shown, keep_ideal=True))
    assert worth(swapped, keep_ideal=False) > worth(shown, keep_ideal=False) + 0.01


def test_only_the_ranks_down_to_the_cutoff_count() -> None:
    """At a cutoff of 1 the first rank is all there is: 2 of 3 is what an order may earn."""
    grades, order = [1, 0, 3, 2], [3, 2, 0, 1]
    assert ndcg([2, 3, 1, 0], grades, cutoff=1) == pytest.approx(2 / 3)
    assert ndcg([2, 3, 1, 0], grades, cutoff=2) == pytest.approx(
        (2 + 3 / log2(3)) / (3 + 2 / log2(3))
    )
    assert rank_reward(order, grades, cutoff=1) == pytest.approx((2 - 1) / (3 - 1))
    assert loss_reward(order, grades, cutoff=1) == pytest.approx((2 - 3) / (3 - 0))
    assert recall_reward([1, 0], [1, 0], cutoff=1) == 0
    long = [0] * 10 + [1]  # only what is beyond the tenth rank could be gained, or lost
    assert rank_reward([10, *range(10)], long) == 1
    assert rank_reward([10, *range(10)], long, cutoff=11) == 1
    assert rank_reward([0, 10, *range(1, 10)], long, cutoff=20) == pytest.approx(
        (1 / log2(3) - 1 / log2(12)) / (1 - 1 / log2(12))
    )
    assert loss_reward([*range(1, 11), 0], [1] + [0] * 10, cutoff=20) == -1


def test_the_parts_are_weighed_and_summed() -> None:
    parts = Parts(rank=0.5, tags=0.25, listed=0.75, recall=0.2, ndcg=0.9)
    found = parts.total(Weights(rank=2, tags=3, listed=5, recall=7))
    assert found == pytest.approx(1 + 0.75 + 3.75 + 1.4)
    assert (Weights().rank, Weights().tags, Weights().listed, Weights().recall) == (
        0.8,
        0.1,
        0.1,
        0,
    )


def test_rank_reward_is_clipped_below() -> None:
    grades = [3, 2, 1, 0, 0, 0, 0, 0, 0, 1, 1]  # moving ranks 10 and 11 up gains little
    worst = list(range(10, -1, -1))
    assert rank_reward(worst, grades, floor=-100) == pytest.approx(-4.808, abs=0.001)
    assert rank_reward(worst, grades) == -1
    said = " > ".join(f"[{index + 1}]" for index in worst)
    assert score(said, Shown(grades, thinks=False)).rank == -1
    assert score(said, Shown(grades, thinks=False), floor=-2).rank == -2


@given(grade_lists, st.lists(st.integers(0, 3), max_size=10))
def test_ndcg_is_the_programs_own(grades: list[int], others: list[int]) -> None:
    judged = [*grades, *others]
    qrels = {"q": {f"d{number}": grade for number, grade in enumerate(judged)}}
    run = Run.by_rank({"q": tuple(f"d{number}" for number in range(len(grades)))}, "")
    figures = Scorer(qrels, parse_measures(["nDCG@10"])).evaluate("run", run).figures
    assert ndcg(grades, judged) == pytest.approx(figures["nDCG@10"], abs=1e-6)


@given(st.text(alphabet="[]>0123 <answer/think>\n", max_size=80), grade_lists)
def test_orders_are_those_of_the_rerankers_parser(text: str, grades: list[int]) -> None:
    order = parse(text, len(grades), thinks=True).order
    assert score(text, Shown(grades)).rank == rank_reward(order, grades)
    assert score(text, Shown(grades)).ndcg == ndcg([grades[index] for index in order], grades)


@given(grade_lists, st.randoms())
def test_rank_reward_stays_between_floor_and_one(grades: list[int], random: object) -> None:
    order = list(range(len(grades)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    value = rank_reward(order, grades)
    assert value is None or -1 <= value <= 1 + 1e-9


def _advantages(rewards: list[float]) -> list[float]:
    """The group's z-scores, as TRL computes them."""
    return [(reward - mean(rewards)) / (stdev(rewards) + 1e-12) for reward in rewards]


def test_the_normalisation_cancels_within_a_group() -> None:
    grades = [1, 0, 3, 2]
    orders = list(permutations(range(4)))[::3]
    relative = [rank_reward(order, grades, floor=-100) or 0.0 for order in orders]
    plain = [ndcg([grades[index] for index in order], grades) for order in orders]
    assert _advantages(relative) == pytest.approx(_advantages(plain), abs=1e-9)
    # It does not once the rewards' other parts differ, or scaling goes over the batch.
    malformed = [0.1] + [0.2] * (len(orders) - 1)
    with_format = [0.8 * one + two for one, two in zip(relative, malformed, strict=True)]
    plain_format = [0.8 * one + two for one, two in zip(plain, malformed, strict=True)]
    assert _advantages(with_format) != pytest.approx(_advantages(plain_format), abs=1e-3)


def test_a_perfect_answer_earns_one() -> None:
    parts = score(GOOD, Shown([0, 2, 0]))
    assert (parts.rank, parts.tags, parts.listed, parts.recall) == (1, 1, 1, 1)
    assert parts.total(Weights()) == pytest.approx(1)
    assert parts.total(Weights(recall=0.2)) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("text", "rank", "tags", "listed"),
    [
        ("<think>a</think><answer>[2] > [2] > [1] > [3]</answer>", 1, 1, 0),  # repeated
        ("<think>a</think><answer>[2]</answer>", 1, 1, 0),  # the rest is missing
        ("<think>a</think><answer>[2] > [1] > [3] > [9]</answer>", 1, 1, 0),  # unknown
        ("<think>a</think><answer>2 > 1 > 3</answer>", 1, 1, 0),  # no brackets
        ("<think>a</think><answer>[2] > [1] > [3], I think</answer>", 1, 1, 0),  # talk
        ("<think>a</think><answer>[1] > [2] > [3]</answer>", 0, 1, 1),  # the input order
        ("<think> </think><answer>[2] > [1] > [3]</answer>", 1, 0, 1),  # empty thoughts
        ("<answer>[2] > [1] > [3]</answer>", 1, 0, 1),  # no thoughts
        # Several answers: the last one counts, and they are no longer one shape.
        (
            "<think>a</think><answer>[2] > [1] > [3]</answer><answer>[1] > [2] > [3]</answer>",
            0,
            0,
            1,
        ),
        # An answer inside the thoughts is none.
        ("<think><answer>[2] > [1] > [3]</answer></think>", 0, 0, 0),
        ("<think><answer>[2] > [1] > [3]</answer>", 1, 0, 1),
        ("<think>a <answer>[2]</answer></think><answer>[1] > [2] > [3]</answer>", 0, 0, 1),
        ("<think>a</think>[2] > [1] > [3]", 1, 0, 0),  # order without tags
        ("<think>[2] is best", 0, 0, 0),  # never ended
        ("", 0, 0, 0),
    ],
)
def test_corners_that_could_be_hacked(text: str, rank: float, tags: float, listed: float) -> None:
    parts = score(text, Shown([0, 2, 0]))
    assert parts.rank == pytest.approx(rank)
    assert (parts.tags, parts.listed) == (tags, listed)


def test_an_answer_cut_by_the_limit_earns_no_format() -> None:
    parts = score("<think>a</think><answer>[2] > [1", Shown([0, 2, 0]), cut=True)
    assert (parts.rank, parts.tags, parts.listed) == (1, 0, 0)
    assert score("[2] > [1] > [3]", Shown([0, 2, 0]), cut=True).rank == 0  # unfinished thoughts
    whole = score(GOOD, Shown([0, 2, 0]), cut=True)
    assert (whole.rank, whole.tags, whole.listed) == (1, 0, 0)


def test_prompts_without_reasoning_want_no_tags() -> None:
    assert tag_reward("[2] > [1]", thinks=False) == 1
    assert tag_reward(GOOD, thinks=False) == 0
    assert tag_reward(" ", thinks=False) == 0
    assert list_reward("[2] > [1]", 2, thinks=False) == 1
    assert list_reward("[2] > [1]", 3, thinks=False) == 0
    assert tag_reward("[2] > [1]") == list_reward("[2] > [1]", 2) == 0
    plain = score("[2] > [1] > [3]", Shown([0, 2, 0], thinks=False))
    assert (plain.rank, plain.tags, plain.listed) == (1, 1, 1)


def test_recall_counts_what_the_next_window_sees() -> None:
    grades = [1] * 12 + [0] * 8
    assert recall_reward(range(20), grades) == 1
    assert recall_reward(range(19, -1, -1), grades) == pytest.approx(2 / 10)
    assert recall_reward([0, 1], [0, 0]) == 0
