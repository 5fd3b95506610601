import pytest

from rearank_cli.report.gains import MOVE_BINS, move_bin, reranked_to


@pytest.mark.parametrize(
    ("depth", "expected"), [(0, "abcd"), (2, "bacd"), (3, "cbad"), (4, "dcba"), (9, "dcba")]
)
def test_reranking_to_a_depth_leaves_the_rest(depth: int, expected: str) -> None:
    assert "".join(reranked_to(tuple("abcd"), tuple("dcba"), depth)) == expected


def test_what_the_new_order_lacks_goes_last_within_the_depth() -> None:
    assert reranked_to(("a", "b", "c"), ("c", "b"), 2) == ("b", "a", "c")


def test_moves_fall_into_bins() -> None:
    assert [move_bin(moved) for moved in (0, 1, 2, 3, -10, -11, 21, -500)] == [
        "0",
        "+1–2",
        "+1–2",
        "+3–5",
        "−6–10",
        "−11–20",
        "+21 or more",
        "−21 or more",
    ]
    assert {move_bin(moved) for moved in range(-200, 200)} == set(MOVE_BINS)
    assert len(set(MOVE_BINS)) == len(MOVE_BINS)
