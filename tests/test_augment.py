"""Drawing lists: counts, filters, orders and determinism; prompts and answers to imitate."""

from typing import Any

import pytest

from rearank_cli.collection import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.methods.answers.order import parse
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage, Query
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.augment import Drawing, augment
from rearank_cli.training.examples import Limit, Renderer, shared_words, written
from rearank_cli.training.reward import Shown, Weights, ndcg, score
from rearank_cli.training.tally import Draw, Tally, report
from rearank_cli.training.verl import compute_score, to_verl

HITS = tuple(f"d{number:02}" for number in range(40))
TEXTS = {doc_id: Passage(doc_id, f"text of {doc_id}") for doc_id in HITS}
QRELS = Judgements.of(
    {
        "q1": {"d01": 3, "d05": 1, "d30": 2, "x": 3},
        "q2": {"d00": 0},
        "q3": {"d02": 1, "d03": -1},
    }
)
WORK = [Candidates(Query(name, f"query {name}"), HITS, TEXTS) for name in ("q1", "q2", "q3", "q4")]


def drawn(tally: Tally | None = None, **settings: Any) -> list[Draw]:
    drawing = Drawing(**{"sizes": (5, 5), "depth": 40, "draws": 30, **settings})
    return list(augment(WORK, QRELS, drawing, lambda draw: draw, tally or Tally()))


def test_every_list_is_a_fair_draw_with_its_grades() -> None:
    tally = Tally()
    lists = drawn(tally)
    assert {draw.query.query_id for draw in lists} == {"q1", "q3"}
    assert tally.skipped == {"without a relevant hit": 1, "without judgements": 1}
    assert tally.drawn == 60 and tally.kept == len(lists) > 5
    assert tally.kept + sum(tally.dropped.values()) == tally.drawn
    for draw in lists:
        judged = QRELS[draw.query.query_id]
        assert len(set(draw.doc_ids)) == 5
        assert set(draw.doc_ids) <= set(HITS)
        assert draw.grades == tuple(judged.get(doc_id, 0) for doc_id in draw.doc_ids)
        assert draw.ideal == ((3, 3, 2, 1) if draw.query.query_id == "q1" else (1,))
        assert ndcg(draw.grades, draw.ideal) >= 0.1
        assert list(draw.grades) != sorted(draw.grades, reverse=True)


def test_the_same_seed_gives_the_same_lists() -> None:
    assert drawn() == drawn()
    assert drawn(seed=1) != drawn()


def test_a_querys_lists_do_not_depend_on_the_other_queries() -> None:
    drawing = Drawing(sizes=(5, 5), depth=40, draws=30)
    alone = list(augment(WORK[2:3], QRELS, drawing, lambda draw: draw, Tally()))
    assert alone == [draw for draw in drawn() if draw.query.query_id == "q3"]


def test_orders() -> None:
    retrieved = drawn(order="retrieved", min_initial=0)
    assert all(list(draw.doc_ids) == sorted(draw.doc_ids) for draw in retrieved)
    shuffled = drawn(order="shuffled", min_initial=0)
    assert any(list(draw.doc_ids) != sorted(draw.doc_ids) for draw in shuffled)
    sets = {frozenset(draw.doc_ids) for draw in retrieved}
    assert sets & {frozenset(draw.doc_ids) for draw in shuffled}


def test_a_target_draws_on_until_it_is_met() -> None:
    assert len(drawn(target=123)) == 123
    tally = Tally()
    few = drawn(tally, target=10**6, depth=5, order="retrieved", keep_ideal=True)
    assert len(few) == 2  # five hits in their order make one list for a query
    assert tally.dropped["drawn before"] > 100


def test_filters_and_what_they_are_called() -> None:
    tally = Tally()
    drawn(tally, min_initial=0.9)
    assert tally.dropped["low initial nDCG@10"] > 0
    tally = Tally()
    drawn(tally, min_best=1.0)
    assert tally.dropped["low best nDCG@10"] > 0
    assert any(
        list(draw.grades) == sorted(draw.grades, reverse=True) for draw in drawn(keep_ideal=True)
    )


def test_list_sizes_vary_within_the_span() -> None:
    assert {len(draw.doc_ids) for draw in drawn(sizes=(3, 6), draws=60)} == {3, 4, 5, 6}


@pytest.mark.parametrize(
    "wrong", [{"sizes": (1, 5)}, {"sizes": (5, 41)}, {"draws": 0}, {"target": 0}, {"order": "x"}]
)
def test_numbers_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(RearankError, match="expected"):
        drawn(**wrong)


def test_the_report_adds_up() -> None:
    tally = Tally()
    lists = drawn(tally)
    text = "\n".join(report(tally, 2))
    assert f"60 drawn, {len(lists)} kept ({len(lists) / 60:.1%})" in text
    assert "2 excluded" in text
    assert f"0: {sum(draw.grades.count(0) for draw in lists)}" in text


def example_draw(grades: tuple[int, ...] = (0, 2, 1)) -> tuple[Draw, Renderer]:
    texts = {
        "a": Passage("a", "Nothing here."),
        "b": Passage("b", "Cats sleep by day."),
        "c": Passage("c", "A cat."),
    }
    draw = Draw(Query("q", "Do cats sleep?"), ("a", "b", "c"), grades, (2, 1))
    return draw, Renderer(texts, load_recipe("rearank"), Cleaner())


def test_an_example_holds_the_rerankers_prompt_and_the_rewards_columns() -> None:
    draw, render = example_draw()
    example = render.for_reward(draw)
    assert example is not None
    prompt = load_recipe("rearank").render(
        "Do cats sleep?", ["Nothing here.", "Cats sleep by day.", "A cat."]
    )
    assert example["prompt"] == [message._asdict() for message in prompt]
    assert (example["grades"], example["ideal"]) == ([0, 2, 1], [2, 1])
    assert example["thinks"] is True


def test_the_answer_to_imitate_is_well_formed_ideal_and_names_words() -> None:
    draw, render = example_draw()
    example = render.for_imitation(draw)
    assert example is not None
    assert example["completion"] == [
        {
            "role": "assistant",
            "content": "<think>\n[1] has none of the words: not relevant.\n"
            "[2] has cats, sleep: answers the query.\n[3] has cats: partly relevant.\n"
            "</think>\n<answer> [2] > [3] > [1] </answer>",
        }
    ]
    assert score(example["completion"][0]["content"], Shown([0, 2, 1])).total(Weights()) == 1


def test_equal_grades_stay_in_the_order_shown() -> None:
    answer = written("cats sleep", ["dogs", "cats sleep", "cats", "dogs"], [0, -1, 2, 0], False)
    assert answer == "[3] > [1] > [2] > [4]"
    assert parse(answer, 4).order == (2, 0, 1, 3)


def test_words_are_equal_but_for_their_endings() -> None:
    assert shared_words("What causes dogs' barking?", "A dog barked at the cause.") == [
        "causes",
        "dogs",
        "barking",
    ]


def test_prompts_that_are_too_long_are_dropped_or_cut() -> None:
    draw, plain = example_draw()
    whole = plain.for_reward(draw)
    assert whole is not None

    def count(prompt: Any) -> int:
        return sum(len(message.content) for message in prompt)

    length = sum(len(message["content"]) for message in whole["prompt"])
    texts = {name: Passage(name, "word " * 80) for name in "abc"}
    for cut, fits in ((False, False), (True, True)):
        limit = Limit(length + 300, count, cut)
        made = Renderer(texts, load_recipe("rearank"), Cleaner(), limit=limit).for_reward(draw)
        assert (made is not None) is fits
        if made is not None:
            assert sum(len(each["content"]) for each in made["prompt"]) <= length + 300
    nothing = Renderer(texts, load_recipe("rearank"), Cleaner(), limit=Limit(9, count, True))
    assert nothing.for_reward(draw) is None


def test_verl_rows_carry_what_its_reward_function_reads() -> None:
    draw, render = example_draw()
    example = render.for_reward(draw)
    assert example is not None
    row = to_verl(example, 7)
    assert row["extra_info"]["index"] == 7
    answer = "<think>a</think><answer>[2] > [3] > [1]</answer>"
    result = compute_score(row["data_source"], answer, row["reward_model"]["ground_truth"])
    assert result == {"score": 1.0, "ndcg_reward": 1.0, "rank_reward": 1.0, "format_reward": 1.0}


def test_excluded_documents_are_in_no_list() -> None:
    """They must not be ranked, so that nothing is to be learned from where they stand."""
    judged = Judgements.of({"q1": {"d01": 3, "d05": 1, "d07": -100}})
    lists = list(augment(WORK[:1], judged, Drawing((20, 20), 40, 30), lambda draw: draw, Tally()))
    assert lists
    assert not any("d07" in draw.doc_ids for draw in lists)
