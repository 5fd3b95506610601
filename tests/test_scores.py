from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.lucene.scores import adjusted, falling, float32


def test_scores_are_rounded_and_ties_told_apart_as_anserini_does() -> None:
    # The third is a tie of the second; the fourth is 0.0001 below, which still counts as one.
    raw = [9.58983, 3.366123, 3.366099, 3.36604, 2.0]
    expected = ["9.589800", "3.366100", "3.366099", "3.365998", "2.000000"]
    assert [f"{score:.6f}" for score in adjusted(raw)] == expected


def test_a_score_is_rounded_from_its_32_bit_float_not_from_its_shortest_decimal() -> None:
    assert adjusted([6.34855]) == [float32(6.3485)]


def test_distinct_scores_stay_as_they_are() -> None:
    assert falling([9.5898, 9.5789, 9.4347]) == (9.5898, 9.5789, 9.4347)


def test_equal_scores_are_told_apart_in_their_order() -> None:
    assert falling([2.5, 2.5, 2.5]) == (2.5, 2.499999, 2.499998)


@given(st.lists(st.floats(min_value=0.0625, max_value=5000, width=32), min_size=1, max_size=200))
def test_scores_fall_strictly_with_six_decimals_even_as_32_bit_floats(scores: list[float]) -> None:
    written = [f"{score:.6f}" for score in falling(sorted(scores, reverse=True))]
    read = [float32(float(score)) for score in written]
    assert all(above > below for above, below in zip(read, read[1:], strict=False))
