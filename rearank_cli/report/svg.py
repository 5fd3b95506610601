"""Building SVG as text in which everything that comes from outside is escaped."""

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from rearank_cli.report.reasoning import visible

Value = str | int | float | None


def tag(name: str, *children: str | Markup, **attributes: Value) -> Markup:
    """Return an element; text children and attribute values are escaped.

    An attribute's name loses a trailing underscore and has hyphens for the others (`class_`,
    `text_anchor`); one that is None is left out. Numbers have one decimal at most.
    """
    spelled = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(
        child if isinstance(child, Markup) else text(child) for child in children
    )
    # name and keys are ours; values went through escape, children are Markup.
    return Markup(f"<{name}{spelled}>{inside}</{name}>")


def text(content: str) -> Markup:
    """Return text escaped, with characters that act made visible."""
    return escape(visible(content))


def _value(value: Value) -> Markup:
    return Markup(num(value)) if isinstance(value, int | float) else text(str(value))


def num(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{round(value, 1):g}" if abs(value) < 100_000 else f"{value:.0f}"


def picture(width: float, height: float, title: str, about: str, *children: Markup) -> Markup:
    """Return a chart as an image with a name and a description for those who cannot see it."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", about),
        *children,
        viewBox=f"0 0 {num(width)} {num(height)}",
        role="img",
        aria_label=f"{title}. {about}",
        width=width,
        height=height,
    )


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers (1, 2 or 5 times a power of ten apart) in [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def scale(low: float, high: float, start: float, stop: float) -> Callable[[float], float]:
    """Return the straight map that takes low to start and high to stop."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (stop - start)


def bins(values: Sequence[float], most: int = 14) -> list[tuple[float, float, int]]:
    """Return (from, to, count) for bins of equal, round width; the last one includes its end."""
    if not values:
        return []
    edges = ticks(0, max(*values, 1e-6), most)
    step = edges[1] - edges[0]
    low = math.floor(min(values) / step) * step
    size = max(1, math.ceil((max(values) - low) / step + 1e-9))
    counts = [0] * size
    for value in values:
        counts[min(int((value - low) / step), size - 1)] += 1
    return [(low + i * step, low + (i + 1) * step, count) for i, count in enumerate(counts)]
