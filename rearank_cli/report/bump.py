"""The bump chart: how the ranks of a query's passages changed from window to window."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from rearank_cli.records import Ranking
from rearank_cli.report.reasoning import one_line
from rearank_cli.report.shading import IRRELEVANT, UNJUDGED
from rearank_cli.report.story import ranks
from rearank_cli.report.svg import num, picture, tag

WIDTH, LEFT, RIGHT, TOP = 760, 128, 128, 26
ROW, NARROW = 19, 5
WIDE_ROWS = 20
"""Ranks to 20 get a full row, those below a narrow one: it is the top that people read."""

LABELLED = 10
LABEL_CHARS = 15


class Bump(NamedTuple):
    """What to draw: the orders from left to right, and what is known of the documents.

    `shown[i]` are the spans of ranks, first and last of each, that were shown when order i became
    order i + 1 (none without a trace).
    `shades` and `anchors` are by doc id; `names` are the headings of the first and last order.
    """

    orders: Sequence[Ranking]
    shown: Sequence[Sequence[tuple[int, int]]]
    shades: Mapping[str, str]
    anchors: Mapping[str, str]
    names: tuple[str, str]


def bump_chart(bump: Bump, title: str, about: str) -> Markup:
    """Return the chart. Documents that are judged relevant or end in the top 10 stand out."""
    size = max(map(len, bump.orders))
    places = [ranks(order) for order in bump.orders]
    columns = _columns(len(bump.orders))
    quiet: dict[str, list[str]] = {UNJUDGED: [], IRRELEVANT: []}
    loud: dict[str, list[Markup]] = {}
    known = dict.fromkeys(doc_id for order in bump.orders for doc_id in order)
    for doc_id in known:
        line = _line(columns, [place.get(doc_id, size + 1) for place in places])
        shade = bump.shades.get(doc_id, UNJUDGED)
        if shade in quiet and places[-1].get(doc_id, size) > LABELLED:
            quiet[shade].append(line)
        else:
            about_it = f"{doc_id}: {_place(places[0], doc_id)} to {_place(places[-1], doc_id)}"
            path = tag(
                "path",
                tag("title", about_it),
                d=line,
                class_=shade,
                data_d=bump.anchors.get(doc_id),
            )
            loud.setdefault(shade, []).append(path)
    drawn = [tag("path", d="".join(lines), class_=shade) for shade, lines in quiet.items() if lines]
    drawn += [path for shade in sorted(loud, key=_weight) for path in loud[shade]]
    return picture(
        WIDTH,
        _y(size + 1) + 8,
        title,
        about,
        *_frame(bump, columns, size),
        tag("g", *drawn, class_="lines"),
        *_labels(bump, bump.orders[0], columns[0], "end"),
        *_labels(bump, bump.orders[-1], columns[-1], "start"),
    )


def _weight(shade: str) -> int:
    return (UNJUDGED, IRRELEVANT, "g1", "g2", "g3").index(shade)


def _place(places: Mapping[str, int], doc_id: str) -> str:
    return f"rank {places[doc_id]}" if doc_id in places else "not retrieved"


def _columns(count: int) -> list[float]:
    step = (WIDTH - LEFT - RIGHT) / max(count - 1, 1)
    return [LEFT + step * index for index in range(count)]


def _y(rank: int) -> float:
    wide = min(rank, WIDE_ROWS + 1)
    return TOP + (wide - 0.5) * ROW + max(rank - WIDE_ROWS - 1, 0) * NARROW


def _line(columns: Sequence[float], places: Sequence[int]) -> str:
    """Return a path that is level where the rank stays and an S-curve where it changes."""
    parts = [f"M{num(columns[0])} {num(_y(places[0]))}"]
    for index in range(1, len(columns)):
        left, right = columns[index - 1], columns[index]
        if places[index] == places[index - 1]:
            if parts[-1].startswith("H"):
                parts.pop()
            parts.append(f"H{num(right)}")
            continue
        middle = num((left + right) / 2)
        old, new = num(_y(places[index - 1])), num(_y(places[index]))
        parts.append(f"C{middle} {old} {middle} {new} {num(right)} {new}")
    return "".join(parts)


def _frame(bump: Bump, columns: Sequence[float], size: int) -> list[Markup]:
    """Return headings, rank numbers, the slice that each window saw, and a line per order."""
    found = [
        tag("text", bump.names[0], x=columns[0], y=14, text_anchor="end", class_="head"),
        tag("text", bump.names[1], x=columns[-1], y=14, class_="head"),
    ]
    boxes = [(index, *span) for index, shown in enumerate(bump.shown) for span in shown]
    for index, first, last in boxes:
        top, bottom = _y(first), _y(last)
        found.append(
            tag(
                "rect",
                x=columns[index],
                y=top - ROW / 2 + 2,
                width=columns[index + 1] - columns[index],
                height=max(bottom - top + ROW - 4, 2),
                class_="seen",
                rx=4,
            )
        )
    for x in columns:
        found.append(tag("line", x1=x, x2=x, y1=_y(1) - 6, y2=_y(size) + 6, class_="axis"))
    for rank in range(20, size + 1, 20):
        found.append(
            tag(
                "text", str(rank), x=columns[0] - 8, y=_y(rank) + 4, text_anchor="end", class_="dim"
            )
        )
    return found


def _labels(bump: Bump, order: Ranking, x: float, anchor: str) -> list[Markup]:
    """Return rank and doc id of the first ten at one side, with a dot in their shade."""
    found = []
    side = -1 if anchor == "end" else 1
    for rank, doc_id in enumerate(order[:LABELLED], 1):
        shade = bump.shades.get(doc_id, UNJUDGED)
        name = one_line(doc_id, LABEL_CHARS)
        found.append(tag("circle", cx=x, cy=_y(rank), r=3.5, class_=shade))
        label = f"{name}  {rank}" if anchor == "end" else f"{rank}  {name}"
        found.append(
            tag("text", label, x=x + 9 * side, y=_y(rank) + 4, text_anchor=anchor, class_="id")
        )
    return found
