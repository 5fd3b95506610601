"""Passages that are cut again and again until their prompt fits, or cannot."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.errors import EngineError, PromptTooLong, RearankError
from rearank_cli.recipes.shortening import MIN_PASSAGE_CHARS, shorter
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage


def sizes(
    cleaner: Cleaner, passages: Sequence[Passage], limit: int, room: int, told: bool, rate: float
) -> list[int]:
    """Return the characters of every prompt that is tried until one has room or none can.

    The engine takes prompts of `room` tokens of `rate` characters, and may not tell their length.
    """
    tried: list[int] = []
    while True:
        tried.append(sum(len(cleaner.passage(each, limit)) for each in passages))
        assert len(tried) < 500, f"goes on for ever: {tried[-5:]} characters at the limit {limit}"
        tokens = int(tried[-1] / rate)
        if tokens <= room:
            return tried
        error = PromptTooLong(tokens if told else 0, room)
        try:
            limit = shorter(limit, max(map(cleaner.length, passages)), error)
        except RearankError:
            return tried


HEAP = Passage("d", "<s></s>" * 400)


def test_a_heap_of_control_tokens_gets_shorter_until_it_fits() -> None:
    cleaner = Cleaner()
    full = len(cleaner.passage(HEAP, 2000))
    tried = sizes(cleaner, [HEAP], 2000, int(full / 1.05), told=True, rate=1.0)
    assert len(tried) == 2
    assert tried[1] < tried[0] / 1.05


PIECES = st.sampled_from(
    [
        "<s>",
        "</s>",
        "<|",
        "|>",
        "[3]",
        "[1",
        "]",
        "<think>",
        "<<SYS>>",
        " ",
        "\n",
        "a",
        "word ",
        "é",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(PIECES, max_size=60).map("".join),
    st.tuples(PIECES, st.integers(1, 400)).map(lambda pair: pair[0] * pair[1]),
)
RESERVED = st.lists(st.one_of(PIECES, st.text("<>[]|s/", min_size=2, max_size=6)), max_size=6)


@given(
    passages=st.lists(st.builds(Passage, st.just("d"), TEXTS, TEXTS), min_size=1, max_size=5),
    reserved=RESERVED,
    unknown=st.booleans(),
    limit=st.integers(1, 3000) | st.just(10**9),
    room=st.integers(-5, 3000),
    told=st.booleans(),
    rate=st.floats(0.3, 6.0),
)
def test_every_prompt_is_shorter_than_the_one_before_and_the_end_comes(
    passages: list[Passage],
    reserved: list[str],
    unknown: bool,
    limit: int,
    room: int,
    told: bool,
    rate: float,
) -> None:
    cleaner = Cleaner(reserved, unknown=unknown)
    tried = sizes(cleaner, passages, limit, room, told, rate)
    assert all(later < earlier for earlier, later in zip(tried, tried[1:], strict=False))


@given(
    limit=st.integers(-9, 10**9),
    longest=st.integers(0, 10**7),
    tokens=st.integers(0, 10**6),
    room=st.integers(-(10**6), 10**6),
)
def test_a_limit_is_smaller_than_both_or_there_is_none(
    limit: int, longest: int, tokens: int, room: int
) -> None:
    try:
        found = shorter(limit, longest, PromptTooLong(tokens, room))
    except RearankError as error:
        assert not isinstance(error, EngineError)
        assert error.message.startswith("the query does not fit the model: the prompt has")
    else:
        assert MIN_PASSAGE_CHARS <= found < min(limit, longest)


@pytest.mark.parametrize(
    ("limit", "longest", "tokens", "room", "expected"),
    [
        (400, 1000, 2000, 1000, 200),
        (1000, 400, 2000, 1000, 200),
        (400, 400, 1050, 1000, 360),
        (400, 400, 1000, 2000, 360),
        (400, 400, 0, 1000, 200),
        (32, 400, 0, 1000, 16),
    ],
)
def test_limits_follow_the_share_that_fits(
    limit: int, longest: int, tokens: int, room: int, expected: int
) -> None:
    assert shorter(limit, longest, PromptTooLong(tokens, room)) == expected


@pytest.mark.parametrize(("limit", "tokens", "room"), [(31, 0, 9), (400, 9, 0), (400, 9, -9)])
def test_what_cannot_get_shorter_says_so(limit: int, tokens: int, room: int) -> None:
    with pytest.raises(RearankError, match="the query does not fit the model"):
        shorter(limit, 1000, PromptTooLong(tokens, room))


@given(st.builds(Passage, st.just("d"), TEXTS, TEXTS))
def test_a_length_is_where_a_limit_begins_to_cut(passage: Passage) -> None:
    cleaner = Cleaner()
    whole = cleaner.passage(passage, 10**9)
    length = cleaner.length(passage)
    assert cleaner.passage(passage, length) == whole
    if length:
        assert len(cleaner.passage(passage, length - 1)) < len(whole)
