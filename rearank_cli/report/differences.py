"""The chart of every query's difference to the baseline."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from rearank_cli.report.charts import BOTTOM, LEFT, RIGHT, TOP, levels
from rearank_cli.report.evaluated import number
from rearank_cli.report.svg import scale, tag, ticks

WIDE, TALL = 960, 260
LEAST_WIDTH = 3
"""Of a bar; a chart of more of them is wider than the page and scrolls."""
LABELLED_BARS = 32
LEAST_RANGE = 0.02


class DifferenceBar(NamedTuple):
    """One query's difference to the baseline.

    `target` is the fragment that it leads to, empty for a query that is not on the page.
    """

    query_id: str
    text: str
    difference: float
    target: str


def bounds(differences: Iterable[float]) -> tuple[float, float]:
    """Return the range of a scale for these differences; it holds 0 and is never empty."""
    values = [0.0, *differences]
    return min(values), max(max(values), min(values) + LEAST_RANGE)


def difference_chart(
    bars: Sequence[DifferenceBar], measure: str, ends: tuple[float, float] | None = None
) -> Markup:
    """Return one bar per query in the order given, each a link to its query if that is shown.

    `ends` are those of the scale, so that charts of several runs can have the same one.
    """
    low, high = ends or bounds(bar.difference for bar in bars)
    labelled = len(bars) <= LABELLED_BARS and max(len(bar.query_id) for bar in bars) <= 8
    y = scale(low, high, TALL - BOTTOM, TOP)
    wide = max(WIDE, LEFT + RIGHT + LEAST_WIDTH * len(bars))
    width = (wide - LEFT - RIGHT) / len(bars)
    drawn = levels(ticks(low, high), y, wide - RIGHT, signed=True)
    for index, bar in enumerate(bars):
        drawn.append(_bar(bar, LEFT + index * width, width, (y(0), y(bar.difference)), measure))
        if labelled:
            drawn.append(
                tag(
                    "text",
                    bar.query_id,
                    x=LEFT + (index + 0.5) * width,
                    y=TALL - 12,
                    text_anchor="middle",
                    class_="dim",
                    aria_hidden="true",
                )
            )
    drawn.append(tag("line", x1=LEFT, x2=wide - RIGHT, y1=y(0), y2=y(0), class_="zero"))
    return tag(
        "svg",
        *drawn,
        viewBox=f"0 0 {wide} {TALL}",
        role="group",
        aria_label=f"Difference in {measure} by query, greatest gain first; bars are links",
        class_="long" if wide > WIDE else None,
        width=wide,
        height=TALL,
    )


def _bar(
    bar: DifferenceBar, x: float, width: float, ends: tuple[float, float], measure: str
) -> Markup:
    kind = "gain" if bar.difference > 0 else "loss" if bar.difference < 0 else "same"
    top = min(ends)
    label = f"{bar.query_id}: {number(bar.difference, 3, '+')} {measure}. {bar.text}"
    shape = tag(
        "rect",
        x=x + width * 0.12,
        y=top,
        width=width * 0.76,
        height=max(abs(ends[0] - ends[1]), 1.5),
        rx=min(3, width * 0.2),
        class_=kind,
    )
    if not bar.target:
        return tag("g", tag("title", label), shape)
    # The whole column can be hit, not only the bar, which may be a pixel high.
    area = tag("rect", x=x, y=TOP, width=width, height=TALL - TOP, class_="hit")
    return tag("a", tag("title", label), area, shape, href=f"#{bar.target}", aria_label=label)
