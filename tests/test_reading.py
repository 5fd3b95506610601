"""Where reasoning ends and an answer may stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.methods.answers.reading import Reading, first_told, readings

READ: list[tuple[str, Reading]] = [
    ("", Reading("", "", False, False)),
    (" [2] > [1]\n", Reading("", "[2] > [1]", False, False)),
    ("<think> a </think> [2] ", Reading("a", "[2]", False, False)),
    ("a</think>[2]", Reading("a", "[2]", False, False)),
    ("<Thinking>a</THINKING>[2]", Reading("a", "[2]", False, False)),
    ("[THINK]a[/THINK][2]", Reading("a", "[2]", False, False)),
    ("◁think▷a◁/think▷[2]", Reading("a", "[2]", False, False)),
    ("<think>a</think> b <answer> [2] </answer> c", Reading("a b", "[2]", True, True)),
    ("<think>a</think> b <answer> [2]", Reading("a b", "[2]", True, False)),
    ("a <answer> b <answer> [2]", Reading("a  b", "[2]", True, False)),
    ("a <answer> b <answer> [2] </answer>", Reading("a", "[2]", True, True)),
    ("<answer>[2]</answer><answer> </answer>", Reading("", "[2]", True, True)),
    ("a<answer> </answer>", Reading("a", "", True, True)),
    ("<answer>1</answer>b<answer>2</answer>", Reading("<answer>1</answer>b", "2", True, True)),
    ("[2] <think> a", Reading("a", "[2]", False, False)),
    ("<think>a</think>[2]<think>b", Reading("ab", "[2]", False, False)),
    ("<think>b <answer>[2]</answer></think>", Reading("b <answer>[2]</answer>", "", False, False)),
    ("b [2]</think>", Reading("b [2]", "", False, False)),
]


@pytest.mark.parametrize(("text", "reading"), READ)
def test_a_text_with_one_reading(text: str, reading: Reading) -> None:
    assert list(readings(text, False)) == [reading]


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("<think>a</think>[2]</think> ", Reading("a", "[2]", False, False)),
        ("<think>a</think>b</think>[2]</think>", Reading("ab", "[2]", False, False)),
        ("b <answer>[2]</ANSWER>\n</think>", Reading("b", "[2]", True, True)),
    ],
)
def test_a_stray_end_of_reasoning_may_stand_behind_the_answer(text: str, second: Reading) -> None:
    first, then = readings(text, False)
    assert (first.answer, then) == ("", second)


@pytest.mark.parametrize("text", ["[2] > [1]", "a <answer>[2]", "a<think>b"])
def test_all_of_unfinished_reasoning_is_reasoning(text: str) -> None:
    (found,) = readings(text, True)
    assert found == Reading(text.replace("<think>", ""), "", False, False)


@given(st.lists(st.sampled_from(["a", "<think>", "</think>", "<answer>[2]</answer>"])))
def test_a_text_that_is_cut_is_unfinished_only_where_no_reasoning_ends(parts: list[str]) -> None:
    text = "".join(parts)
    if "</think>" in text or "<answer>" in text:
        assert list(readings(text, True)) == list(readings(text, False))
    assert all(each.tagged or not each.complete for each in readings(text, False))


def test_the_first_reading_that_tells_something_counts() -> None:
    text = "<think>a</think>[2]</think>[3]"
    assert first_told(text, False, lambda reading: None) == (
        Reading("a[2]", "[3]", False, False),
        None,
    )
    stray = "<think>a</think>[2]</think>"
    told = first_told(stray, False, lambda reading: reading.answer or None)
    assert told == (Reading("a", "[2]", False, False), "[2]")
    nothing = first_told(stray, False, lambda reading: 0 if reading.answer else None)
    assert nothing == (Reading("a", "[2]", False, False), 0)
    assert first_told("[2]", True, lambda reading: reading.answer or None)[1] is None
