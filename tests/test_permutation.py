import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.methods import Ask
from rearank_cli.methods.answers import Form
from rearank_cli.methods.answers.order import parse, read
from rearank_cli.records import Completion, Flaws

PERFECT = Flaws()


@pytest.mark.parametrize(
    "text",
    [
        "<think>the second one</think><answer>[2] > [3] > [1]</answer>",
        "<answer> [2] > [3] > [1] </answer>",
        "<answer>2 > 3 > 1</answer>",
        "<ANSWER>[2],[3],[1]</ANSWER>",
        "<answer>[2, 3, 1]</answer>",
        "<think>a</think> [2] > [3] > [1]",
        "[2] > [3] > [1]",
        "2 > 3 > 1",
        "Here are the 3 passages in order: [2] > [3] > [1]",
        "The top 10 of 3: 2 > 3 > 1",
        "<think>first <answer>[1] > [2] > [3]</answer> no</think><answer>[2]>[3]>[1]</answer>",
        "<answer>[1] > [2]</answer> wait <answer>[2] > [3] > [1]</answer>",
        "<answer> <answer> [2] > [3] > [1] </answer>",
        "<think>I never close this <answer>[2] > [3] > [1]</answer>",
    ],
)
def test_orders_that_are_understood(text: str) -> None:
    found = parse(text, 3)
    assert found.order == (1, 2, 0)
    assert found.flaws == PERFECT


@pytest.mark.parametrize(
    ("text", "order", "flaws"),
    [
        ("<answer>[3]</answer>", (2, 0, 1), Flaws(missing=(1, 2))),
        ("<answer>[3] > [3] > [1] > [2]</answer>", (2, 0, 1), Flaws(repeated=(3,))),
        ("<answer>[0] > [4] > [2] > [1] > [3]</answer>", (1, 0, 2), Flaws(unknown=(0, 4))),
        (
            "[3] > [3] > [4] > [4] > [1] > [3] > [1] > [0]",
            (2, 0, 1),
            Flaws(missing=(2,), repeated=(3, 1), unknown=(4, 0)),
        ),
        ("<answer></answer>", (0, 1, 2), Flaws(no_answer=True)),
        ("", (0, 1, 2), Flaws(no_answer=True)),
        ("I am sorry, in 2019 there were 3 of them", (0, 1, 2), Flaws(no_answer=True)),
        ("<think>it asks about 3 things", (0, 1, 2), Flaws(no_answer=True)),
        ("<think>[3] is best, [2] next", (0, 1, 2), Flaws(no_answer=True)),
        ("<think><answer>[3] > [2] > [1]</answer></think>", (0, 1, 2), Flaws(no_answer=True)),
        ("<think>x</think>This model's limit is 4096", (0, 1, 2), Flaws(no_answer=True)),
        (f"<answer>[{'9' * 5000}] > [2]</answer>", (1, 0, 2), Flaws((1, 3), (), (999999999,))),
    ],
)
def test_flawed_answers_give_a_full_order_and_say_what_was_wrong(
    text: str, order: tuple[int, ...], flaws: Flaws
) -> None:
    found = parse(text, 3)
    assert (found.order, found.flaws) == (order, flaws)


def test_an_answer_that_was_cut_short_is_used_as_far_as_it_goes() -> None:
    found = parse("<think>x</think><answer>[2] > [1] >", 3, cut=True, thinks=True)
    assert found.order == (1, 0, 2)
    assert found.flaws == Flaws(missing=(3,), truncated=True)


def test_reasoning_that_was_cut_short_is_not_mined() -> None:
    for text in ("<think>[3] speaks of it", "Passage [3] speaks of it"):
        found = parse(text, 3, cut=True, thinks=True)
        assert found.order == (0, 1, 2)
        assert found.flaws == Flaws(truncated=True, no_answer=True)


def test_without_reasoning_an_answer_that_was_cut_counts() -> None:
    found = parse("[2] > [1] >", 3, cut=True)
    assert (found.order, found.flaws) == ((1, 0, 2), Flaws(missing=(3,), truncated=True))
    assert parse("[2] > [1]", 3, thinks=True).flaws == Flaws(missing=(3,))


def test_rambling_after_a_complete_answer_is_no_flaw() -> None:
    found = parse("<answer>[3] > [2] > [1]</answer> and so on", 3, cut=True, thinks=True)
    assert found.order == (2, 1, 0)
    assert found.flaws == PERFECT


def test_reasoning_and_answer_are_kept_apart() -> None:
    found = parse("<think> it says so </think>\n<answer> [1] > [2] </answer>", 2)
    assert (found.reasoning, found.answer) == ("it says so", "[1] > [2]")


PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "[",
        "]",
        " > ",
        "1",
        "2",
        "7",
        "20",
        ",",
        "\n",
        "٣",
        "²",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


@given(text=TEXTS, count=st.integers(1, 25), cut=st.booleans(), thinks=st.booleans())
def test_no_text_ever_loses_or_invents_a_passage(
    text: str, count: int, cut: bool, thinks: bool
) -> None:
    found = parse(text, count, cut=cut, thinks=thinks)
    assert sorted(found.order) == list(range(count))


@given(st.permutations(range(20)))
def test_a_well_formed_order_is_read_as_it_is(order: list[int]) -> None:
    answer = " > ".join(f"[{index + 1}]" for index in order)
    found = parse(f"<think>…</think><answer>{answer}</answer>", 20)
    assert found.order == tuple(order)
    assert found.flaws == PERFECT


def test_reasoning_is_kept_where_only_the_first_ranks_are_read() -> None:
    ask = Ask(("a", "b", "c"), wanted=1)
    within = read(Completion("<think>so</think>[2] > [1] > [3]"), ask, Form(thinks=True))
    apart = read(Completion("[2] > [1] > [3]", "apart"), ask, Form(thinks=True))
    assert [(each.reasoning, each.ranking, each.read) for each in (within, apart)] == [
        ("so", ("b", "a", "c"), 1),
        ("apart", ("b", "a", "c"), 1),
    ]
