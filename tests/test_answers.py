"""The shapes in which models write an order, and those that only look like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.methods.answers.order import parse
from rearank_cli.records import Flaws

# Every answer is about three passages and says "the third, the first, the second".
SAID = (2, 0, 1)
ORDERS = {
    "rearank": "<think>The third names it.</think>\n<answer> [3] > [1] > [2] </answer>",
    "reasonrank": "<think>\nPassage [1] is vague.\n</think>\n<answer> [3] > [1] > [2] </answer>",
    "rankzephyr": "[3] > [1] > [2]",
    "no spaces": "[3]>[1]>[2]",
    "rank-k, ties": "<think>hm</think>\n\n[3] > [1] = [2]",
    "ties in round brackets": "[3] > ([1] = [2])",
    "ties with approximately": "[3] > [1] ≈ [2]",
    "only ties": "<answer>[3] = [1] = [2]</answer>",
    "bare commas": "3, 1, 2",
    "bare spaces": "3 1 2",
    "bare lines": "3\n1\n2",
    "bare in tags": "<answer>3, 1, 2</answer>",
    "bare chain": "3 > 1 > 2",
    "bare ties": "3 > 1 = 2",
    "list of identifiers": "[3], [1], [2]",
    "identifiers side by side": "[3][1][2]",
    "JSON list": "[3, 1, 2]",
    "JSON list of strings": '["3", "1", "2"]',
    "JSON list of identifiers": '["[3]", "[1]", "[2]"]',
    "JSON list over lines": "```json\n[\n  3,\n  1,\n  2\n]\n```",
    "JSON object that holds an order": '{"ranking": [3, 1, 2]}',
    "JSON object with words beside the order": (
        '```json\n{"reason": "the third has 2 of 3 facts", "ranking": ["[3]", "[1]", "[2]"]}\n```'
    ),
    "JSON with ties": "[[3], [1, 2]]",
    "code fence": "```\n[3] > [1] > [2]\n```",
    "inline code": "`[3] > [1] > [2]`",
    "bold": "**[3] > [1] > [2]**",
    "bold identifiers": "**[3]** > **[1]** > **[2]**",
    "label": "Ranking: [3] > [1] > [2]",
    "bold label": "**Final ranking:** [3], [1], [2]",
    "label that counts": "Ranking of the 3 passages: 3, 1, 2",
    "heading": "### Final order\n\n[3] > [1] > [2]",
    "block quote": "> [3] > [1] > [2]",
    "LaTeX box": "$\\boxed{[3] > [1] > [2]}$",
    "LaTeX relation": "\\[ [3] \\succ [1] \\succ [2] \\]",
    "escaped brackets": "\\[3\\] > \\[1\\] > \\[2\\]",
    "HTML entities": "[3] &gt; [1] &gt; [2]",
    "full-width brackets": "【3】>【1】>【2】",
    "full-width signs": "［３］＞［１］＞［２］",
    "ideographic commas": "[3]、[1]、[2]",
    "arrows": "[3] → [1] → [2]",
    "ASCII arrows": "[3] -> [1] -> [2]",
    "precedes": "[3] ≻ [1] ≻ [2]",
    "numbered": "1. [3]\n2. [1]\n3. [2]",
    "numbered with reasons": "1. **[3]** - names the year\n2. [1]: close\n3. [2]: has 1 fact of 3",
    "numbered bare": "1. 3\n2. 1\n3. 2",
    "numbered with words": "1) Passage 3\n2) Passage 1\n3) Passage 2",
    "ranks": "Rank 1: [3]\nRank 2: [1]\nRank 3: [2]",
    "ordinals": "1st: [3]\n2nd: [1]\n3rd: [2]",
    "bullets": "- [3]\n- [1]\n- [2]",
    "bullets with reasons": "* [3] is about it\n* [1] is near it\n* [2] is not",
    "lines with falling scores": "[3] (score 9)\n[1] (score 7)\n[2] (score 2)",
    "numbered with scores": "1. [3] (score 9)\n2. [1] (score 7.5)\n3. [2] (score 1)",
    "chain with scores": "[3] (score 9) > [1] (7) > [2] (0.5)",
    "table": "| Rank | Passage |\n|---|---|\n| 1 | [3] |\n| 2 | [1] |\n| 3 | [2] |",
    "words before identifiers": "Passage 3 > Passage 1 > Passage 2",
    "words before brackets": "Passage [3] > Passage [1] > Passage [2]",
    "number signs": "#3 > #1 > #2",
    "a list in a sentence": "The order is [3], [1] and [2], best first.",
    "a bare list in a sentence": "The order is 3, 1, 2.",
    "words inside brackets": "[Passage 3] > [Passage 1] > [Passage 2]",
    "joined by words": "[3], followed by [1], and then [2]",
    "prose before and after": "Of the 3 passages:\n\n[3] > [1] > [2]\n\nIs 1 more of use?",
    "prose about a passage before": "Passage [1] repeats [2].\nFinal: [3] > [1] > [2]",
    "restated passages": "[1] Paris is big.\n[2] London has 9 parks.\n\n[3] > [1] > [2]",
    "restated, then numbered": "[1] Paris\n[2] London\n[3] Rome\n\n1. [3]\n2. [1]\n3. [2]",
    "the form, then the answer": "As asked, in the form [2] > [1]: [3] > [1] > [2]",
    "draft, then the answer": "[1] > [2] > [3]? No:\n[3] > [1] > [2]",
    "tiers": "Best: [3]\nOther: [1] > [2]",
    "two lines of tiers": "Relevant: [3], [1]\nNot relevant: [2]",
    "stray end of thinking": "<think>a</think><answer>[3] > [1] > [2]</answer></think>",
    "stray end, template opened": "Let me see.\n<answer>[3] > [1] > [2]</answer>\n</think>\n",
    "stray end after a bare chain": "<think>a</think>\n[3] > [1] > [2]\n</think>",
    "thinking in other tags": "<thinking>[1] > [2]</thinking>[3] > [1] > [2]",
    "Magistral's thinking": "[THINK][1] first? [2]?[/THINK][3] > [1] > [2]",
    "an empty answer after the answer": "<answer>[3] > [1] > [2]</answer> So: <answer></answer>",
    "an answer in words": "<answer>The best is [3], then comes [1]; [2] is off.</answer>",
    "another tag": "<ranking>\n[3] > [1] > [2]\n</ranking>",
}


@pytest.mark.parametrize("shape", ORDERS)
def test_orders_in_every_shape_are_read_without_a_flaw(shape: str) -> None:
    found = parse(ORDERS[shape], 3)
    assert (found.order, found.flaws) == (SAID, Flaws())


NO_ORDERS = {
    "JSON scores by identifier": '{"[1]": 2, "[2]": 5, "[3]": 9}',
    "JSON scores, highest first": '{"[3]": 9, "[1]": 5, "[2]": 2}',
    "JSON scores in tags": '<answer>{"[1]": 2, "[2]": 5, "[3]": 9}</answer>',
    "JSON scores in a fence": '```json\n{\n  "[1]": 2,\n  "[2]": 5,\n  "[3]": 9\n}\n```',
    "JSON scores by number": '{"1": 2, "2": 5, "3": 9}',
    "JSON scores in prose": 'Here you are: {"[1]": 2, "[2]": 5, "[3]": 9}. Anything else?',
    "JSON objects": '[{"id": 1, "score": 2}, {"id": 2, "score": 5}, {"id": 3, "score": 9}]',
    "scores by line": "[1]: 2\n[2]: 5\n[3]: 9",
    "scores on one line": "[1]: 2, [2]: 5, [3]: 9",
    "scores with an equals sign": "[1] = 2, [2] = 5, [3] = 9",
    "scores by words": "Passage 1: 2\nPassage 2: 5\nPassage 3: 9",
    "rising scores": "- [1] (score 2)\n- [2] (score 5)\n- [3] (score 9)",
    "rising scores of ten": "[2] - 3/10\n[1] - 7/10\n[3] - 9/10",
    "a label that says scores": "Scores: 9, 2, 5",
    "decimals": "0.9, 0.2, 0.5",
    "a walk through the passages": "[1] is about Paris.\n[2] is about Rome.\n[3] is about Bern.",
    "a walk on one line": "[1] is about Paris, [2] about Rome and [3] about Bern.",
    "passages in prose": "Only [2] and [3] speak of it, but neither says when.",
    "all passages in prose, as shown": "The passages [1], [2] and [3] do not say.",
    "judgements": "[2]: irrelevant\n[3]: relevant\n[1]: irrelevant",
    "a comparison in words": "[2] is worse than [1]",
    "the wrong direction": "<answer>[2] < [1] < [3]</answer>",
    "a refusal": "I cannot rank these 3 passages.",
    "a year": "<think>x</think>It was in 2019.",
    "a bare number": "<think>x</think>3",
    "years": "2019, 2020",
    "an error": "Error 429: limit 10, used 7, try again in 20s",
    "a list that names no passage": "1. Paris\n2. Rome\n3. Bern",
    "thinking that holds the answer": "<think><answer>[3] > [1] > [2]</answer></think>",
    "thinking that is cut": "<think>So [3] > [1] > [2]",
    "thinking in other tags that is cut": "<thinking>So [3] > [1] > [2]",
    "nothing but a stray end": "</think>",
    "a yes": "yes",
}


@pytest.mark.parametrize("shape", NO_ORDERS)
def test_what_is_no_order_is_no_answer(shape: str) -> None:
    found = parse(NO_ORDERS[shape], 3)
    assert (found.order, found.flaws) == ((0, 1, 2), Flaws(no_answer=True))


@pytest.mark.parametrize(
    ("text", "order", "flaws"),
    [
        ("3, 1", (2, 0, 1), Flaws(missing=(2,))),
        ("1. [3]\n2. [1]\n3. [1]", (2, 0, 1), Flaws(missing=(2,), repeated=(1,))),
        ("[3] > ... > [1]", (2, 0, 1), Flaws(missing=(2,))),
        ('{"ranking": [3, 1]}', (2, 0, 1), Flaws(missing=(2,))),
        ("[3] > [9] > [1] = [2]", (2, 0, 1), Flaws(unknown=(9,))),
        ("The most relevant one:\n[3]", (2, 0, 1), Flaws(missing=(1, 2))),
        ("[9] > [8]", (0, 1, 2), Flaws(missing=(1, 2, 3), unknown=(9, 8))),
    ],
)
def test_flaws_of_other_shapes(text: str, order: tuple[int, ...], flaws: Flaws) -> None:
    found = parse(text, 3)
    assert (found.order, found.flaws) == (order, flaws)


WORDS = st.sampled_from(
    [
        *("<think>", "</think>", "<answer>", "</answer>", "[THINK]", "```", "```json", "**", "- "),
        *("[", "]", "[1]", "[2]", "[3]", "【", "】", " > ", " = ", ", ", ": ", "\n", "1. ", "| "),
        *("{", "}", '"', "\\", "$", "(", ")", "score 9", "Passage ", "and ", "1", "2", "7", "20"),
        *("٣", "²", "３", "0.5", "&gt;", "…", "..."),
    ]
)


@given(
    text=st.lists(WORDS, max_size=40).map("".join),
    count=st.integers(1, 25),
    cut=st.booleans(),
    thinks=st.booleans(),
)
def test_no_heap_of_such_pieces_loses_or_invents_a_passage(
    text: str, count: int, cut: bool, thinks: bool
) -> None:
    found = parse(text, count, cut=cut, thinks=thinks)
    assert sorted(found.order) == list(range(count))
    assert not found.flaws.no_answer or found.order == tuple(range(count))


@given(
    order=st.permutations(range(9)),
    shape=st.sampled_from(["[{}] > ", "[{}], ", "{}, ", "{} ", "{} > ", "[{}] = ", "- [{}]\n"]),
    before=st.sampled_from(["", "Ranking: ", "Here is the order of all of them:\n"]),
)
def test_any_order_is_read_from_any_such_list(order: list[int], shape: str, before: str) -> None:
    text = before + "".join(shape.format(index + 1) for index in order).rstrip(" \n>=,")
    found = parse(text, 9)
    assert (found.order, found.flaws) == (tuple(order), Flaws())


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "[1" * 25_000, "1 " * 50_000, "([1]" * 25_000, "1. " * 30_000, "{" * 50_000],
)
def test_long_garbage_is_read_all_the_same(text: str) -> None:
    assert sorted(parse(text, 20).order) == list(range(20))
