import struct

from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.lucene.scores import falling


def float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_distinct_scores_stay_as_they_are() -> None:
    assert falling([9.5898, 9.5789, 9.4347]) == (9.5898, 9.5789, 9.4347)


def test_equal_scores_are_told_apart_in_their_order() -> None:
    assert falling([2.5, 2.5, 2.5]) == (2.5, 2.499999, 2.499998)


@given(st.lists(st.floats(min_value=0.0625, max_value=5000, width=32), min_size=1, max_size=200))
def test_scores_fall_strictly_with_six_decimals_even_as_32_bit_floats(scores: list[float]) -> None:
    written = [f"{score:.6f}" for score in falling(sorted(scores, reverse=True))]
    read = [float32(float(score)) for score in written]
    assert all(above > below for above, below in zip(read, read[1:], strict=False))
