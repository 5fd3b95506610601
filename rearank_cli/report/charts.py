"""The smaller charts: gain by depth, histograms, counts."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from rearank_cli.log import counted
from rearank_cli.report.svg import bins, num, picture, scale, tag, text, ticks

WIDE, TALL = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 34


def levels(
    values: Sequence[float], y: Callable[[float], float], right: float, signed: bool = False
) -> list[Markup]:
    """Return horizontal rules from the left margin to `right`, with their values before them."""
    found = []
    for value in values:
        at = y(value)
        shown = (f"{value:+.4g}" if signed and value else f"{value:.4g}").replace("-", "−")
        found.append(tag("line", x1=LEFT, x2=right, y1=at, y2=at, class_="grid"))
        found.append(
            tag(
                "text",
                shown,
                x=LEFT - 6,
                y=at + 4,
                text_anchor="end",
                class_="dim",
                aria_hidden="true",
            )
        )
    return found


def depth_chart(points: Sequence[tuple[int, float]], measure: str) -> Markup:
    """Return a measure's figure by the depth that was reranked, in (depth, figure) points."""
    values = [value for _, value in points]
    # A range of at least 0.05, so that a change in the third decimal looks like one.
    room = max((max(values) - min(values)) * 0.15, (0.05 - max(values) + min(values)) / 2)
    low, high = min(values) - room, max(values) + room
    x = scale(points[0][0], points[-1][0], LEFT + 6, WIDE - RIGHT - 40)
    y = scale(low, high, TALL - BOTTOM, TOP)
    line = "M" + "L".join(f"{num(x(depth))} {num(y(value))}" for depth, value in points)
    drawn = levels(ticks(low, high), y, WIDE - RIGHT)
    drawn.append(tag("path", d=line, class_="curve"))
    for depth, value in points:
        about = f"depth {depth}: {value:.4f}"
        drawn.append(
            tag("circle", tag("title", about), cx=x(depth), cy=y(value), r=4, class_="point")
        )
    every = max(1, len(points) // 6)
    drawn += [_under(str(depth), x(depth)) for depth, _ in points[::every]]
    drawn.append(
        tag(
            "text", f"{values[-1]:.3f}", x=x(points[-1][0]) + 8, y=y(values[-1]) + 4, class_="value"
        )
    )
    about = f"From {values[0]:.4f} at depth 0 to {values[-1]:.4f} at depth {points[-1][0]}."
    title = f"{measure} by depth reranked"
    return picture(WIDE, TALL, title, about, *drawn)


def _under(label: str, x: float) -> Markup:
    return tag("text", label, x=x, y=TALL - 17, text_anchor="middle", class_="dim")


class Stack(NamedTuple):
    """One column of a stacked chart: name, the label below, and the count of each class."""

    name: str
    label: str
    counts: Mapping[str, int]


def stacked_chart(
    stacks: Sequence[Stack], title: str, about: str, sides: tuple[str, str]
) -> Markup:
    """Return stacked columns, the last class at the bottom; `sides` stand below the ends."""
    highest = max((sum(stack.counts.values()) for stack in stacks), default=0) or 1
    y = scale(0, highest, TALL - BOTTOM, TOP + 8)
    width = (WIDE - LEFT - RIGHT) / len(stacks)
    whole = [value for value in ticks(0, highest) if value == int(value)]
    drawn = levels(whole, y, WIDE - RIGHT)
    for index, stack in enumerate(stacks):
        at, total = LEFT + index * width, 0
        for name, count in reversed(list(stack.counts.items())):
            if count:
                total += count
                drawn.append(
                    tag(
                        "rect",
                        tag("title", f"{stack.name}: {count}"),
                        x=at + width * 0.1,
                        y=y(total),
                        width=width * 0.8,
                        height=y(total - count) - y(total),
                        class_=name,
                    )
                )
        drawn.append(_under(stack.label, at + width / 2))
    below: dict[str, str | int] = {"y": TALL - 1, "class_": "dim"}
    drawn.append(tag("text", sides[0], x=LEFT, **below))
    drawn.append(tag("text", sides[1], x=WIDE - RIGHT, text_anchor="end", **below))
    return picture(WIDE, TALL, title, about, *drawn)


def histogram(values: Sequence[float], title: str, unit: str) -> Markup:
    """Return how often which values occur, in bins of round width."""
    found = bins(values)
    highest = max((count for _, _, count in found), default=1)
    y = scale(0, highest, TALL - BOTTOM, TOP + 8)
    x = scale(found[0][0], found[-1][1], LEFT, WIDE - RIGHT)
    whole = [value for value in ticks(0, highest) if value == int(value)]
    drawn = levels(whole, y, WIDE - RIGHT)
    for low, high, count in found:
        if count:
            drawn.append(
                tag(
                    "rect",
                    tag("title", f"{low:g} to {high:g} {unit}: {count}"),
                    x=x(low) + 1,
                    y=y(count),
                    width=max(x(high) - x(low) - 2, 1),
                    height=y(0) - y(count),
                    class_="plain",
                )
            )
    drawn += [_under(f"{edge:g}", x(edge)) for edge in ticks(found[0][0], found[-1][1], 6)]
    ordered = sorted(values)
    about = (
        f"{counted(len(values), 'window')}, from {ordered[0]:,.4g} to {ordered[-1]:,.4g} {unit}, "
        f"median {ordered[len(ordered) // 2]:,.4g}."
    )
    return picture(WIDE, TALL, title, about, *drawn)


def counts_chart(counts: Mapping[str, int], title: str, about: str) -> Markup:
    """Return one horizontal bar per count, with its label and number."""
    highest = max(counts.values(), default=0) or 1
    x = scale(0, highest, 120, WIDE - 56)
    row = min((TALL - 20) / max(len(counts), 1), 42)
    drawn: list[Markup] = []
    for index, (label, count) in enumerate(counts.items()):
        y = 10 + index * row
        middle = y + row / 2 + 4
        drawn.append(tag("text", label, x=112, y=middle, text_anchor="end", class_="dim"))
        drawn.append(
            tag(
                "rect",
                x=120,
                y=y + row * 0.2,
                width=max(x(count) - 120, 1),
                height=row * 0.6,
                class_="loss" if count else "same",
                rx=3,
            )
        )
        drawn.append(tag("text", text(str(count)), x=x(count) + 8, y=middle, class_="value"))
    return picture(WIDE, TALL, title, about, *drawn)
