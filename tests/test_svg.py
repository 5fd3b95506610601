from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.report.svg import bins, num, picture, tag, ticks


def test_children_and_attributes_are_escaped() -> None:
    assert tag("text", "<b>&", class_='"x"', text_anchor="end", x=1.25, y=None) == (
        '<text class="&#34;x&#34;" text-anchor="end" x="1.2">&lt;b&gt;&amp;</text>'
    )
    assert tag("g", tag("title", "a\x00b")) == "<g><title>a�b</title></g>"


def test_a_picture_has_a_name_and_a_description() -> None:
    drawn = picture(10, 20, "Gains", "Two bars.")
    assert 'role="img" aria-label="Gains. Two bars."' in drawn
    assert "<title>Gains</title><desc>Two bars.</desc>" in drawn


def test_coordinates_are_short() -> None:
    assert [num(value) for value in (1.0, 2.345, -0.04)] == ["1", "2.3", "-0"]


def test_ticks_are_round() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-0.25, 0.42) == [-0.2, 0.0, 0.2, 0.4]
    assert ticks(3, 3) == [3]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_every_value_is_in_one_bin(values: list[float]) -> None:
    found = bins(values)
    assert sum(count for _, _, count in found) == len(values)
    assert found[0][0] <= min(values)
    assert found[-1][1] >= max(values) * (1 - 1e-9)
