import re

from rearank_cli.report.charts import (
    Stack,
    counts_chart,
    depth_chart,
    histogram,
    stacked_chart,
)


def test_the_depth_curve_tells_its_ends() -> None:
    drawn = depth_chart([(0, 0.5), (10, 0.625)], "nDCG@10")
    assert "From 0.5000 at depth 0 to 0.6250 at depth 10." in drawn
    assert drawn.count("<circle") == 2


def test_stacks_reach_the_height_of_their_sum() -> None:
    stacks = [Stack("+1", "1", {"g1": 1, "g3": 3}), Stack("0", "0", {"g1": 0, "g3": 2})]
    drawn = stacked_chart(stacks, "t", "about", ("left", "right"))
    found = re.findall(r'y="(\S+)" width="\S+" height="(\S+)" class="(g\d)"', drawn)
    # The first stack is the highest: 3 of class g3 at the bottom, 1 of g1 above it.
    assert [name for _, _, name in found] == ["g3", "g1", "g3"]
    assert float(found[0][0]) == float(found[1][0]) + float(found[1][1])
    assert abs(float(found[0][1]) - 3 * float(found[1][1])) < 0.2


def test_a_histogram_describes_its_values() -> None:
    drawn = histogram([1.0, 2.0, 9.0], "Seconds", "seconds")
    assert "3 windows, from 1 to 9 seconds, median 2." in drawn
    assert drawn.count('class="plain"') == 3


def test_counts_are_written_beside_their_bars() -> None:
    drawn = counts_chart({"missing": 5, "unknown": 0}, "Flaws", "5 of 9")
    assert re.findall(r'class="value">(\d+)<', drawn) == ["5", "0"]
