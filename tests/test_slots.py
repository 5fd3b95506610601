"""How many requests fly: what fits the engine's cache of keys and values, and no more."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedEngine

from rearank_cli.records import Completion, Message, Request, Sampling
from rearank_cli.reranking.slots import KNOWN_FROM, Slots


@dataclass
class Sized(ScriptedEngine):
    """An engine of some size; nothing is asked of it here."""

    capacity: int = 256
    kv_tokens: int = 0
    requests: list[Request] = field(default_factory=list)


def request(chars: int = 8000, max_tokens: int = 2000) -> Request:
    return Request((Message("user", "x" * chars),), Sampling(max_tokens))


def answered(slots: Slots, tokens: int, times: int = KNOWN_FROM, cached: bool = False) -> None:
    for _ in range(times):
        half = Completion("", "", "stop", tokens - tokens // 2, tokens // 2, cached=cached)
        slots.note(half)


def test_without_knowing_the_room_the_capacity_counts() -> None:
    assert Slots(Sized(capacity=512), None)() == 512


def test_what_the_user_asks_for_counts_alone() -> None:
    assert Slots(Sized(capacity=4, kv_tokens=10), 99)() == 99


# Qwen2.5-7B holds 56 KiB of keys and values a token; windows have some 3,000 tokens.
@pytest.mark.parametrize(("tokens", "fits"), [(108_000, 36), (2_100_000, 256), (1_000, 1)])
def test_windows_in_flight_are_those_that_fit_the_cache(tokens: int, fits: int) -> None:
    slots = Slots(Sized(kv_tokens=tokens), None)
    slots.expect(request())  # 8,000 characters are 2,000 tokens, and half of 2,000 for the answer
    assert slots() == fits


def test_the_guess_gives_way_to_what_answers_tell() -> None:
    slots = Slots(Sized(kv_tokens=90_000), None)
    slots.expect(request())
    assert slots() == 30
    answered(slots, 1500)
    assert slots() == 60
    answered(slots, 6000, KNOWN_FROM * 2)
    assert slots() == 90_000 // 4500


def test_answers_from_the_cache_took_no_room_and_teach_nothing() -> None:
    slots = Slots(Sized(kv_tokens=90_000), None)
    slots.expect(request())
    answered(slots, 100, 50, cached=True)
    assert slots() == 30


def test_the_room_is_read_again_when_the_engine_has_started() -> None:
    engine = Sized(capacity=128)
    slots = Slots(engine, None)
    slots.expect(request())
    assert slots() == 128
    engine.capacity, engine.kv_tokens = 1024, 300_000
    assert slots() == 100


@given(st.integers(0, 10**7), st.integers(1, 2000), st.lists(st.integers(1, 10**5), max_size=30))
def test_there_is_always_a_slot_and_never_more_than_the_engine_takes(
    room: int, capacity: int, lengths: list[int]
) -> None:
    slots = Slots(Sized(capacity=capacity, kv_tokens=room), None)
    slots.expect(request())
    for length in lengths:
        answered(slots, length, 1)
    assert 1 <= slots() <= capacity


@pytest.mark.parametrize(
    "prompt",
    ["x" * 8000, (Message("system", "x" * 3000), Message("user", "x" * 5000))],
    ids=["text", "chat"],
)
def test_the_first_request_alone_is_the_guess_whatever_its_form(
    prompt: str | tuple[Message, ...],
) -> None:
    slots = Slots(Sized(kv_tokens=90_000), None)
    slots.expect(Request(prompt, Sampling(2000)))
    slots.expect(request(80, 20))
    assert slots() == 30


def test_a_few_answers_are_no_measure() -> None:
    slots = Slots(Sized(kv_tokens=90_000), None)
    slots.expect(request())
    answered(slots, 0, 50)  # a server that does not count tells nothing
    answered(slots, 1500, KNOWN_FROM - 1)
    assert slots() == 30
    slots.note(Completion("", "", "stop", 1500, 0))
    assert slots() == 60


def test_before_anything_is_known_the_engines_capacity_counts() -> None:
    assert Slots(Sized(capacity=7, kv_tokens=90_000), None)() == 7
