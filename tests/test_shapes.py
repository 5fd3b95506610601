"""The shapes in which models write an order, and what looks like one and is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.methods.answers.lexing import json_order, lines_of, plain
from rearank_cli.methods.answers.shapes import identifiers

BEST_TO_WORST = [
    "[3] > [1] > [2]",
    "3 > 1 > 2",
    "[3] > [1] = [2]",
    "3 > 1 = 2",
    "3 = 1 > 2",
    "[3] > [1] > 2",
    "[3] >\n[1] >\n[2]",
    "([3]) > ([1]) > ([2])",
    "[3] > ... > [1] > [2]",
    "[3] => [1] -> [2]",
    "[3] ≻ [1] ≈ [2]",
    r"$[3] \succ [1] \sim [2]$",
    "Passage 3 > Passage 1 > Passage 2",
    "**[3]** > **[1]** > **[2]**",
    "【3】＞【1】＞【2】",
    "[3] (score 9) > [1] (score 9) > [2] (score 10)",
    "[3] &gt; [1] &gt; [2]",
    "[3], [1], [2]",
    "[3] | [1] | [2]",
    "[3] and [1] and [2]",
    "([3], [1], [2])",
    "[3]\n[1]\n[2]",
    "[3]\n[1]\n\n[2].",
    "[3], [1]!\n---\n[2]",
    "[3], [1]\nand\n[2]",
    "3, 1, 2",
    "3 1 2",
    "3\n1\n2",
    "- 3\n- 1\n- 2",
    "* [3]\n* [1]\n* [2]",
    "Order: [3], [1], [2]",
    "Order: 3, 1 and 2",
    "Best: [3]\nGood: [1]\nWorst: [2]",
    "First: [3]\nThen: [1]\nFinally: [2]",
    "Best:\n[3], [1]\nRest:\n[2]",
    '["[3]", "[1]", "[2]"]',
    '["Passage 3", "doc 1", "#2"]',
    "[3, 1, 2]",
    "[[3, 1], [2]]",
    "[[3], [[1, 2]]]",
    '{"order": [3, 1, 2]}',
    '{"query": "q", "order": ["3", "1", "2"], "scores": [0.5, 0.1]}',
    "```json\n[3, 1, 2]\n```",
    "1. [3]\n2. [1]\n3. [2]",
    "1. 3\n2. 1\n3. 2",
    "1. (3)\n2. (1)\n3. (2)",
    "1) [3] - it says so\n2) [1] - it hints at it\n3) [2] - it does not",
    "1: [3]\n2: [1]\n3: [2]",
    "Rank 1: [3]\nRank 2: [1]\nRank 3: [2]",
    "1st. [3]\n2nd. [1]\n3rd. [2]",
    "1. [3] and [1]\n2. [2]",
    "1. [3] = [1]\n2. [2]",
    "1. [3] (score: 9)\n2. [1] (score: 9)\n3. [2] (score: 4)",
    "1. [3] score: 9\n2. [1]\n3. [2] score: 8",
    "Here you are.\n1. [3]\n\n2. [1]\n\n3. [2]\n",
    "| Rank | Passage |\n|---|---|\n| 1 | [3] |\n| 2 | [1] |\n| 3 | [2] |",
    "1. [1]\n2. [2]\n3. [3]\nNo:\n1. [3]\n2. [1]\n3. [2]",
    "[3] says so\n[1] hints at it\n[2] does not",
    "- [3]: about it\n- [1]: near it\n- [2]: elsewhere",
    "[3], [1]: about it\n[2]: elsewhere",
    "[3]. About it\n[1]. Near it\n[2]. Elsewhere",
    "[3] - [1] is less so\n[1] - [2] is less so\n[2] - no",
    "1. [3] - [1] is less so\n2. [1] - [2] is less so\n3. [2] - no",
    "1. 3.\n2. 1.\n3. 2.",
    "| 1. | [3] |\n| 2. | [1] |\n| 3. | [2] |",
    "1. \n[3], [1], [2]",
    "I think that [3], [1], [2] is right",
    "I think that [3], [1] and [2] are in order, not by 5",
    "I think that 3, 1, 2 is right",
    "Of these (3 of them) I think [3], [1], [2] is right",
    "[1] > [2] > [3]\nFinal: [3] > [1] > [2]",
    "[3] > [1] > [2]\nFinal: [3]",
    "[1], [2], [3]\n[3] > [1] > [2]",
    "[3] > [1] > [2]\nShown: [1], [2], [3]",
    "[1] and [2] are weak\nTop: [3] > [1]\nRest: [2]",
]


@pytest.mark.parametrize("text", BEST_TO_WORST)
def test_three_passages_in_the_order_three_one_two(text: str) -> None:
    assert identifiers(text, 3, tagged=False) == [3, 1, 2]


@pytest.mark.parametrize(
    ("text", "count", "order"),
    [
        ("First: [1] > [2]\nThen: [4] > [3]", 4, [1, 2, 4, 3]),
        ("[4] > [1]\nFinal: [2] > [1]", 4, [2, 1]),
        ("[4] > [1] > [3]\nFinal: [2] > [1]", 4, [4, 1, 3]),
        ("[3] > [2] > [1], no: [1] > [2] > [3]", 3, [1, 2, 3]),
        ("[3], [1] are good", 3, [3, 1]),
        ("[5] > [4] > [1] > [3] > [2]\nFinal: [2] > [1]", 5, [5, 4, 1, 3, 2]),
        ("[3] = [1]", 3, [3, 1]),
        ("[3] > [1], and not [2]", 3, [3, 1]),
        ("[3] > [1] beats [2] > [4]", 4, [3, 1, 2, 4]),
        ("[3] > [3] > [9]", 3, [3, 3, 9]),
        ("The first is [2] > [1] [3] > [4]", 4, [2, 1, 3, 4]),
        ("Order: [3]", 3, [3]),
        ("1. [3]", 3, [3]),
        ("[3]\nbut\n[1]", 3, [3, 1]),
        ("- [3] is good\n- [1] is so so\n[4] is not\n[2] neither", 4, [3, 1, 4, 2]),
        ("I think that [2], [1] is right", 2, [2, 1]),
        ("I think that 5 [3], [1], [2] is right", 3, [3, 1, 2]),
        ("[2] is good\n[3] is so so", 3, [2, 3]),
        ("[1] is good\n[3] is so so\n[2] is not", 3, [1, 3, 2]),
        ("[0, 3]", 3, [0, 3]),
        ("3, 1, 2019, 2020", 3, [3, 1, 2019, 2020]),
        (f"[{'1' * 12}] > [2]", 3, [111111111, 2]),
    ],
)
def test_parts_of_an_order_ties_repetitions_and_strangers(
    text: str, count: int, order: list[int]
) -> None:
    assert identifiers(text, count, tagged=False) == order


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "[3] is best",
        "3 = 1",
        "10 = 10",
        "[2] = 5",
        "[1] > 5",
        "Order: 3",
        "Scores: 3, 2, 9",
        "[3]: 1, 2",
        ": 3, 1",
        "2019, 2020",
        "3, 1, 2019, 2020, 2021",
        "I think that [1], [2], [3] is right",
        "I think that [3], 1, [2] is right",
        "[1] is a\n[2] is b\n[3] is c",
        "[1] is a\n[1] is b\n[3] is c",
        "[3]: 7 good\n[1]: 6 good",
        "[3] = 9\n[1] = 7",
        "[3]: 9.5\n[1]: 7.5",
        "[3]: relevant\n[1]: not",
        "[3]: Yes\n[1]: No",
        "1: 3\n2: 1",
        "1. [3]: 7\n2. [1]: 9",
        "1. [3] (score: 7)\n2. [1] (score: 7)\n3. [2] (score: 9)",
        "1. 3 because\n2. 1 because",
        "1. 3 - because\n2. 1 - because",
        '{"1": 2, "3": 1}',
        '{"good": [3, 1], "bad": [2]}',
        '{"order": 3}',
        '[3, "nothing"]',
        "[3, 1.5]",
        "[3, true]",
        "[-1, 3]",
        "[3, null]",
    ],
)
def test_what_looks_like_an_order_and_is_none(text: str) -> None:
    assert identifiers(text, 3, tagged=False) == []


def test_a_single_passage_is_no_list_within_a_sentence() -> None:
    assert identifiers("I think that [1] is right", 1, tagged=False) == []


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("3", [3]),
        ("[3] is best", [3]),
        ("[1] is best", [1]),
        ("first [1] and later, well, [2]", []),
        ("first passage 3, and passage 1 after it", [3, 1]),
        ("[1] and then, well, [2]: so [3]", []),
        ("3 is best, next comes 1", [3, 1]),
        ("about 3.5 of them", []),
        ("[1] < [2] < [3]", []),
        ("[3]: 5 and [1]: 7, I'd say", []),
        (f"number {'7' * 12}, I'd say", [777777777]),
    ],
)
def test_in_a_marked_answer_identifiers_in_running_words_count(text: str, order: list[int]) -> None:
    assert identifiers(text, 3, tagged=True) == order
    assert identifiers(text, 3, tagged=False) == []


ORDERS = st.permutations(range(1, 8))


@given(ORDERS, st.sampled_from([" > ", "\n", ", ", " = ", "\n- "]))
def test_any_order_is_read_in_any_common_shape(order: list[int], sign: str) -> None:
    assert identifiers(sign.join(f"[{n}]" for n in order), 7, tagged=False) == order


@given(ORDERS)
def test_any_order_is_read_as_a_numbered_list_a_table_and_json(order: list[int]) -> None:
    numbered = "\n".join(f"{rank}. [{n}]: it says so" for rank, n in enumerate(order, 1))
    table = "\n".join(f"| {rank} | [{n}] | text |" for rank, n in enumerate(order, 1))
    for text in (numbered, table, json.dumps(order), json.dumps({"order": order})):
        assert identifiers(text, 7, tagged=False) == order


def test_a_line_tells_its_rank_its_bullet_and_the_score_of_its_first_identifier() -> None:
    (line,) = lines_of("- 2. [3] score: 7.5")
    assert (line.bulleted, line.number, line.score) == (True, 2, 7.5)
    assert [token.text for token in line.ranked][:2] == ["[3]", "score"]
    assert [line.score for line in lines_of("[3]: 8\n[3] says 9 things\nno 9\n3")] == [
        8.0,
        None,
        None,
        None,
    ]
    (plain_line,) = lines_of("| [3], [1] |")
    assert [token.kind for token in plain_line.tokens] == ["id", ",", "id", "|"]
    assert (plain_line.bulleted, plain_line.number, plain_line.ranked) == (False, 0, ())


def test_markup_is_taken_off_and_signs_are_made_plain() -> None:
    assert plain("```json\n**[3]** ≻ “[1]”\n```").strip() == "[3] > [1]"
    assert plain(r"\boxed{[3] \gt [1]}") == "{[3]  >  [1]}"
    assert plain("• [３] ⇒ [1]\n## Order") == "- [3] > [1]\nOrder"


def test_what_is_no_json_is_no_json_order() -> None:
    for text in ("", "3, 1", "{3: 1}", "[3] > [1]", "[" * 100_000):
        assert json_order(text) is None
    assert json_order("{}") == []
