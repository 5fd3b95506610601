import re

from rearank_cli.report.bump import Bump, bump_chart


def chart(**more: object) -> str:
    values: dict[str, object] = {
        "orders": [("a", "b", "c"), ("b", "a", "c"), ("b", "a", "c")],
        "shown": [[(1, 2)]],
        "shades": {"a": "g3", "b": "g0", "c": "g1"},
        "anchors": {"a": "p1-1"},
        "names": ("before", "after"),
    }
    return str(bump_chart(Bump(**{**values, **more}), "t", "about"))  # type: ignore[arg-type]


def test_a_line_curves_where_the_rank_changes_and_is_level_elsewhere() -> None:
    path = re.search(r'<path d="([^"]*)" class="g3" data-d="p1-1">', chart())
    assert path is not None
    # rank 1 (y 35.5) to rank 2 (y 54.5) in the first half, then level
    assert path[1] == "M128 35.5C254 35.5 254 54.5 380 54.5H632"


def test_judged_relevant_passages_are_drawn_last_so_that_they_lie_on_top() -> None:
    drawn = chart()
    assert drawn.index('class="g0"') < drawn.index('class="g1"') < drawn.index('class="g3"')
    assert "<title>a: rank 1 to rank 2</title>" in drawn


def test_a_passage_that_one_order_lacks_comes_from_below() -> None:
    drawn = chart(orders=[("a", "b"), ("b", "c")], shown=[])
    assert "<title>c: not retrieved to rank 2</title>" in drawn
    assert "<title>a: rank 1 to not retrieved</title>" in drawn


def test_each_window_is_shaded() -> None:
    assert chart().count('class="seen"') == 1
    assert 'class="seen"' not in chart(shown=[])


def test_hundred_ranks_fit_a_screen() -> None:
    order = tuple(f"d{n}" for n in range(100))
    height = re.search(r'viewBox="0 0 760 (\S+)"', chart(orders=[order, order], shown=[]))
    assert height is not None
    assert float(height[1]) < 900
