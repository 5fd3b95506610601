"""Where the gain comes from: depth, moves of relevant passages, flaws, tokens and time."""

from collections import Counter

from rearank_cli.log import counted
from rearank_cli.records import Ranking
from rearank_cli.report.charts import (
    Stack,
    counts_chart,
    depth_chart,
    histogram,
    stacked_chart,
)
from rearank_cli.report.evaluated import measure_rankings
from rearank_cli.report.material import Material
from rearank_cli.report.page import Chart
from rearank_cli.report.shading import LEVELS, shade
from rearank_cli.report.story import ranks
from rearank_cli.report.totals import Totals, total
from rearank_cli.reranking.trace import AskTrace

STEPS = 10
PLACES = 12


def gain_charts(material: Material) -> list[Chart]:
    """Return the charts for which there is material."""
    found = [_depth(material), _moves(material)]
    if material.trace:
        windows = [each for story in material.trace.stories.values() for each in story.windows]
        totals = total(material.trace)
        found += [_flaws(totals), _places(totals), _tokens(windows), _seconds(windows)]
    return [chart for chart in found if chart is not None]


def _depth(material: Material) -> Chart | None:
    evaluated = material.evaluated
    orders = {query_id: material.orders(query_id) for query_id in material.query_ids}
    longest = max((len(old) for old, _ in orders.values()), default=0)
    if evaluated is None or longest < 2:
        return None
    depths = sorted({0, *(round(longest * step / STEPS) for step in range(1, STEPS + 1))})
    variants = [
        {query_id: reranked_to(old, new, depth) for query_id, (old, new) in orders.items()}
        for depth in depths
    ]
    measure = evaluated.measures[0]
    values = measure_rankings(variants, measure, material.context.judgements)
    if len(set(values)) == 1:
        return None
    points = list(zip(depths, values, strict=True))
    return Chart(
        f"{measure} by depth reranked",
        "Only the first so many old hits take their new order among themselves, the rest stays "
        "as it was. Where the curve is flat, reranking deeper brought nothing.",
        depth_chart(points, measure),
        ("depth", measure),
        tuple((str(depth), f"{value:.4f}") for depth, value in points),
    )


def reranked_to(old: Ranking, new: Ranking, depth: int) -> Ranking:
    """Return the old order with its first `depth` documents in their new order.

    A document that the new order lacks goes last among them; past the old order's end the new
    order counts, so that the full depth gives the new order.
    """
    if depth >= len(old):
        return new
    places = ranks(new)
    head = sorted(old[:depth], key=lambda doc_id: places.get(doc_id, len(new) + 1))
    return (*head, *old[depth:])


OR_MORE = " or more"


def move_bin(moved: int) -> str:
    """Return the label of the bin for a move; rising counts up."""
    if moved == 0:
        return "0"
    sign = "+" if moved > 0 else "−"
    size = abs(moved)
    for low, high in ((1, 2), (3, 5), (6, 10), (11, 20)):
        if size <= high:
            return f"{sign}{low}–{high}"
    return f"{sign}21{OR_MORE}"


MOVE_BINS = tuple(move_bin(moved) for moved in (-21, -11, -6, -3, -1, 0, 1, 3, 6, 11, 21))


def _moves(material: Material) -> Chart | None:
    counts: dict[str, Counter[str]] = {label: Counter() for label in MOVE_BINS}
    best = 0
    for query_id in material.query_ids:
        old, new = material.orders(query_id)
        was, now = ranks(old), ranks(new)
        for doc_id, rank in now.items():
            if doc_id in was and material.context.is_relevant(query_id, doc_id):
                grade = material.context.grade(query_id, doc_id)
                move = was[doc_id] - rank
                best = max(best, move)
                counts[move_bin(move)][shade(grade, material.highest)] += 1
    if not any(count for label, count in counts.items() if label != move_bin(0)):
        return None
    names = [f"g{level}" for level in range(1, LEVELS + 1)]
    stacks = [
        Stack(
            label, label.lstrip("+−").replace(OR_MORE, "+"), {name: count[name] for name in names}
        )
        for label, count in counts.items()
    ]
    rose = sum(sum(c.values()) for label, c in counts.items() if label.startswith("+"))
    fell = sum(sum(c.values()) for label, c in counts.items() if label.startswith("−"))
    title = "How far relevant passages moved"
    about = f"{counted(rose, 'relevant passage')} rose, {fell} fell; "
    about += f"the longest way up was {counted(best, 'rank')}."
    return Chart(
        title,
        f"{about} Ranks gained are to the right; the shade is the judgement.",
        stacked_chart(stacks, title, about, ("← fell", "rose →")),
        ("moved", "passages"),
        tuple((label, str(sum(count.values()))) for label, count in counts.items()),
    )


def _flaws(totals: Totals) -> Chart | None:
    if not totals.flawed:
        return None
    counts = {name.replace("_", " "): count for name, count in totals.flaws.items()}
    title = "Flaws in the answers"
    about = (
        f"{totals.flawed} of {counted(totals.windows, 'window')} with a flaw; some have several."
    )
    rows = tuple((name, str(count)) for name, count in counts.items())
    return Chart(title, about, counts_chart(counts, title, about), ("flaw", "windows"), rows)


def _places(totals: Totals) -> Chart | None:
    """Return where in the ranking the flawed windows are; at most `PLACES` rows, the top ones."""
    if not totals.flawed:
        return None
    places = totals.places[-PLACES:]
    counts = {f"ranks {each.ranks.replace('-', '–')}": each.flawed for each in places}
    title = "Flawed windows by place"
    about = "From the bottom of the ranking to its top, as the windows ran."
    rows = tuple(
        (name, str(each.windows), str(each.flawed), f"{each.moved / each.windows:.1f}")
        for name, each in zip(counts, places, strict=True)
    )
    header = ("place", "windows", "flawed", "passages moved, each")
    return Chart(title, about, counts_chart(counts, title, about), header, rows)


def _tokens(windows: list[AskTrace]) -> Chart | None:
    values = [float(window.completion_tokens) for window in windows]
    if not any(values):
        return None
    title = "Tokens written per window"
    about = f"{sum(values):,.0f} tokens of reasoning and answer in all."
    return Chart(title, about, histogram(values, title, "tokens"), *_quantiles(values, "tokens"))


def _seconds(windows: list[AskTrace]) -> Chart | None:
    values = [window.seconds for window in windows if not window.cached]
    if not any(values):
        return None
    title = "Seconds per window"
    about = (
        f"From asking to answer, of {counted(len(values), 'window')} not from the cache. Windows "
        "run side by side, so that the sum says nothing about the time that passed."
    )
    return Chart(title, about, histogram(values, title, "seconds"), *_quantiles(values, "seconds"))


def _quantiles(
    values: list[float], unit: str
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    ordered = sorted(values)
    last = len(ordered) - 1
    marks = (("least", 0.0), ("25%", 0.25), ("median", 0.5), ("75%", 0.75), ("most", 1.0))
    rows = tuple((name, f"{ordered[round(share * last)]:,.4g}") for name, share in marks)
    return ("", unit), rows
