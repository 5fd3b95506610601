"""The first ranks of an order, read while the rest is being written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.methods import Ask
from rearank_cli.methods.answers import KINDS, Beginning, Form
from rearank_cli.methods.answers.order import parse
from rearank_cli.records import Completion

PARTS = st.sampled_from(
    """
    [1] [2] [3] [4] [5] [05] [9] [ 3 ] [999999999] [12 > > > = , -> <answer> </answer> <think>
    </think> [THINK] [/THINK] <ans <th ink> Sure: 1 20 ( ) score
    """.split()
    + [" ", "\n", "", "[1] > [2] > [3] > [4] > ["]
)
TEXTS = st.lists(PARTS, max_size=30).map("".join)
CUTS = st.lists(st.integers(1, 9), min_size=1, max_size=40)


def in_pieces(text: str, cuts: list[int], count: int, wanted: int, thinks: bool) -> list[object]:
    """Return what is known after each piece and, last, of the whole."""
    beginning, at, found = Beginning(count, wanted, thinks), 0, []
    for size in cuts:
        at += size
        found.append(beginning.read(text[:at]))
    return [*found, beginning.read(text)]


@given(TEXTS, CUTS, st.integers(1, 5), st.booleans())
def test_it_does_not_matter_in_which_pieces_a_text_comes(
    text: str, cuts: list[int], wanted: int, thinks: bool
) -> None:
    found = in_pieces(text, cuts, 5, wanted, thinks)
    whole = Beginning(5, wanted, thinks).read(text)
    assert found[-1] == whole
    # What is known stays known, whatever comes behind it.
    known = [each for each in found if each]
    assert all(each == whole for each in known)
    assert len(whole) in (0, wanted)


ORDERS = st.lists(st.integers(0, 24), min_size=1, max_size=30)
BEFORE = st.sampled_from(["", "<answer>", "Sure! Here is my ranking:\n", "**Ranking**: "])


@given(ORDERS, BEFORE, st.booleans(), st.integers(1, 20))
def test_an_order_begins_as_the_reader_of_whole_answers_reads_it(
    order: list[int], before: str, thinks: bool, wanted: int
) -> None:
    thoughts = "<think>[3] fits, [1] > [2] > [4].</think>\n" if thinks else ""
    text = thoughts + before + " > ".join(f"[{each}]" for each in order)
    first = Beginning(20, wanted, thinks).read(text)
    assert first in ((), parse(text, 20, thinks=thinks).order[:wanted])
    # One alone is no order.
    known = {each for each in order if 1 <= each <= 20 and len(order) > 1}
    assert bool(first) is (len(known) >= wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[2] > [1",
        "[2], [1], [3], [4]",
        "Passage [3] is about it. [2] > [1] > [3]",
        '["[2]", "[1]", "[3]"]',
        "[2]: 7\n[1]: 5\n[3]: 1",
        "[2] = 5 and [1] = 3",
        "2 > 1 > 3",
        "1. [2]\n2. [1]\n3. [3]",
        "<think>[2] > [1] > [3]",
    ],
)
def test_what_may_still_be_something_else_is_not_read(text: str) -> None:
    assert Beginning(3, 2, False).read(text) == ()


def test_reasoning_is_not_read() -> None:
    thought = "[2] > [1] > [3] "
    assert Beginning(3, 2, True).read(f"{thought}</think>[3] > [2] > [1]") == (2, 1)
    assert Beginning(3, 2, True).read(thought) == ()
    assert Beginning(3, 2, True).read("<answer>[3] > [2] > [1]") == (2, 1)
    assert Beginning(3, 2, False).read(f"<think>{thought}</think>[3] > [2] > [1]") == (2, 1)


def test_a_shorter_text_is_another_try() -> None:
    beginning = Beginning(3, 1, False)
    assert beginning.read("[2] > [1] > ") == (1,)
    assert beginning.read("[3] ") == ()
    assert beginning.read("[3] > [1]") == (2,)


def test_only_the_wanted_ranks_are_read_and_their_flaws_count() -> None:
    ask = Ask(tuple("abcdef"), wanted=3)
    text = "<think>so</think><answer>[4] > [4] > [9] > [2] > [6] > [1] > [1] > [8]</answer>"
    found = KINDS["order"].read(Completion(text), ask, Form(thinks=True))
    assert found.ranking == tuple("dbface") and found.read == 3
    assert found.flaws.names() == ("repeated", "unknown")
    assert (found.flaws.repeated, found.flaws.unknown) == ((4,), (9,))
    # Ended there, it is the same answer.
    cut = Completion(text[: text.index("[6]") + 3], finish_reason="enough")
    ended = KINDS["order"].read(cut, ask, Form(thinks=True))
    assert (ended.ranking, ended.flaws, ended.read) == (found.ranking, found.flaws, 3)
    # What does not begin with the order is read whole.
    whole = KINDS["order"].read(Completion("1. [4]\n2. [2]\n3. [6]\n4. [5]"), ask, Form())
    assert whole.ranking == tuple("dbfeac") and whole.read == 0
