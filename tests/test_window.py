import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.errors import RearankError
from rearank_cli.methods.windows import check_window, windows


def test_a_hundred_hits_make_the_nine_windows_of_the_paper() -> None:
    expected = [(80, 100), (70, 90), (60, 80), (50, 70), (40, 60), (30, 50), (20, 40), (10, 30)]
    assert windows(100, 20, 10) == [*expected, (0, 20)]


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        (0, []),
        (1, [(0, 1)]),
        (19, [(0, 19)]),
        (20, [(0, 20)]),
        (21, [(1, 21), (0, 20)]),
        (25, [(5, 25), (0, 20)]),
        (30, [(10, 30), (0, 20)]),
        (
            95,
            [
                (75, 95),
                (65, 85),
                (55, 75),
                (45, 65),
                (35, 55),
                (25, 45),
                (15, 35),
                (5, 25),
                (0, 20),
            ],
        ),
    ],
)
def test_windows_of_a_few_lengths(hits: int, expected: list[tuple[int, int]]) -> None:
    assert windows(hits, 20, 10) == expected


def test_every_position_is_shown_for_every_length() -> None:
    for hits in range(301):
        seen = {index for start, stop in windows(hits, 20, 10) for index in range(start, stop)}
        assert seen == set(range(hits))


@given(hits=st.integers(1, 500), size=st.integers(2, 60), data=st.data())
def test_windows_cover_overlap_and_number_as_the_formula_says(
    hits: int, size: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, size - 1))
    slices = windows(hits, size, stride)
    assert slices[-1] == (0, min(size, hits))
    assert slices[0].stop == hits
    assert len(slices) == 1 + max(0, math.ceil((hits - size) / stride))
    for below, above in zip(slices, slices[1:], strict=False):
        assert above.start < below.start < above.stop


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (0, 1), (20, 20), (20, 0), (20, -5), (5, 9)])
def test_windows_that_cannot_work_are_refused(size: int, stride: int) -> None:
    with pytest.raises(RearankError):
        check_window(size, stride)


def test_what_is_wrong_with_a_window_is_said_in_numbers() -> None:
    with pytest.raises(RearankError) as small:
        check_window(1, 1)
    assert small.value.message == "expected a window of at least 2 passages, found 1"
    with pytest.raises(RearankError) as wide:
        check_window(20, 25)
    assert wide.value.message == ("expected a stride between 1 and 19 (the window is 20), found 25")
    assert wide.value.hint == "windows must overlap, or no passage can rise above its window"


def test_the_default_windows_are_the_papers() -> None:
    assert windows(45) == windows(45, 20, 10) == [(25, 45), (15, 35), (5, 25), (0, 20)]
