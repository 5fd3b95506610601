import re

from rearank_cli.report.differences import DifferenceBar, bounds, difference_chart


def test_bars_are_links_with_names() -> None:
    drawn = difference_chart(
        [DifferenceBar("q1", "why <so>?", 0.25, "q1"), DifferenceBar("q2", "how?", -0.5, "q2")],
        "nDCG@10",
    )
    assert re.findall(r'<a href="(\S+)" aria-label="([^"]*)">', drawn) == [
        ("#q1", "q1: +0.250 nDCG@10. why &lt;so&gt;?"),
        ("#q2", "q2: -0.500 nDCG@10. how?"),
    ]
    heights = [float(h) for h in re.findall(r'height="(\S+)" rx="3" class="(?:gain|loss)"', drawn)]
    assert abs(heights[1] / heights[0] - 2) < 0.01


def test_bars_without_a_difference_can_be_drawn() -> None:
    assert 'class="same"' in difference_chart([DifferenceBar("q1", "", 0.0, "q1")], "P@1")


def test_a_scale_holds_0_and_is_never_empty() -> None:
    assert bounds([0.5, 0.25]) == (0.0, 0.5)
    assert bounds([-0.5, -0.25]) == (-0.5, 0.0)
    assert bounds([0.0]) == (0.0, 0.02)


def test_charts_can_share_a_scale() -> None:
    alone = difference_chart([DifferenceBar("q1", "", 0.1, "q1")], "P@1")
    beside = difference_chart([DifferenceBar("q1", "", 0.1, "q1")], "P@1", (0.0, 0.2))
    heights = [float(re.findall(r'height="(\S+)" rx', drawn)[0]) for drawn in (alone, beside)]
    assert abs(heights[0] / heights[1] - 2) < 0.01
