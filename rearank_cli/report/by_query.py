"""One chart per run of every query's difference to the baseline."""

from collections.abc import Mapping, Sequence

from rearank_cli.report.differences import DifferenceBar, bounds, difference_chart
from rearank_cli.report.evaluated import Evaluated, number
from rearank_cli.report.material import Material
from rearank_cli.report.page import Chart

MOST = 2000
"""Bars of one chart; beyond that it would be megabytes of bars that nobody can tell apart."""


def difference_charts(material: Material, cards: Mapping[str, int]) -> list[Chart]:
    """Return the charts, the focus run's first; none without judgements or a baseline.

    Each is of all queries that its run or the baseline has; beyond `MOST` queries of those that
    changed most in that very run. `cards` are the numbers of the queries that the page shows.
    """
    evaluated, base = material.evaluated, material.baseline
    if evaluated is None or base is None:
        return []
    others = [label for label in material.runs if label not in (material.focus, base)]
    by_run = {
        label: _bars(material, evaluated, label, cards)
        for label in (material.focus, *others)
        if label != base
    }
    ends = bounds(bar.difference for bars in by_run.values() for bar in bars)
    return [
        _chart(f"{evaluated.measures[0]}: {label} against {base}, by query", bars, cards, ends)
        for label, bars in by_run.items()
        if any(bar.difference for bar in bars)
    ]


def _bars(
    material: Material, evaluated: Evaluated, label: str, cards: Mapping[str, int]
) -> list[DifferenceBar]:
    """Return a run's bars, the greatest gain first."""
    base = material.baseline or ""
    known = dict.fromkeys([*material.runs[label].rankings, *material.runs[base].rankings])
    bars = []
    for query_id in known:
        difference = evaluated.difference(label, base, query_id)
        if difference is not None:
            target = f"q{cards[query_id]}" if query_id in cards else ""
            bars.append(DifferenceBar(query_id, material.text(query_id), difference, target))
    return sorted(bars, key=lambda bar: (-bar.difference, bar.query_id))


def _chart(
    title: str, bars: Sequence[DifferenceBar], cards: Mapping[str, int], ends: tuple[float, float]
) -> Chart:
    """Return a run's chart, with a sentence that says which queries it shows."""
    count = len(bars)
    about = f"{'The query' if count == 1 else f'All {count:,} queries'}, sorted by gain."
    if count > MOST:
        kept = set(sorted(bars, key=lambda bar: -abs(bar.difference))[:MOST])
        bars = [bar for bar in bars if bar in kept]
        about = f"The {MOST:,} of {count:,} queries that changed most, sorted by gain."
    if all(bar.target for bar in bars):
        about += " A bar leads to its query."
    else:
        about += f" A bar leads to its query where that is among the {len(cards)} below."
    measure = title.partition(":")[0]
    return Chart(
        title,
        about,
        difference_chart(bars, measure, ends),
        ("query", "difference"),
        tuple((bar.query_id, number(bar.difference, 4, "+")) for bar in bars),
    )
