"""From the material to the page."""

from collections.abc import Iterable, Sequence
from typing import Any

from rearank_cli import __version__
from rearank_cli.log import counted
from rearank_cli.report.by_query import difference_charts
from rearank_cli.report.evaluated import number
from rearank_cli.report.gains import gain_charts
from rearank_cli.report.matching import input_fact
from rearank_cli.report.material import HITS, Material
from rearank_cli.report.page import Page, Tile
from rearank_cli.report.query_page import TOP, query_page
from rearank_cli.report.shading import shade
from rearank_cli.report.totals import total

Facts = list[tuple[str, str]]


def build_page(material: Material, limit: int, files: Sequence[tuple[str, str]]) -> Page:
    """Return the page with at most `limit` queries, those that changed most.

    `files` says what the report was made from, as names and hashes, for its provenance.
    """
    chosen = choose(material, limit)
    queries = [query_page(material, number, each) for number, each in enumerate(chosen, 1)]
    count = len(material.query_ids)
    evaluated = material.evaluated
    versus = f" against {material.baseline}" if material.baseline else ""
    return Page(
        title=f"{material.focus}{versus}",
        subtitle=counted(count, "query"),
        tiles=_tiles(material),
        measures=evaluated.measures if evaluated else (),
        measure=evaluated.measures[0] if evaluated else "",
        tables=evaluated.tables if evaluated else (),
        notes=evaluated.notes if evaluated else (),
        differences=difference_charts(material, {each.query_id: each.number for each in queries}),
        gains=gain_charts(material),
        gains_title=_gains_title(material),
        grades=_grades(material),
        names=("before", "after"),
        runs=list(material.runs),
        queries=queries,
        left_out=_left_out(material, len(queries)),
        provenance=_provenance(material, files),
    )


def choose(material: Material, limit: int) -> list[str]:
    """Return at most `limit` queries in the run's order; those that changed most come first."""
    ids = material.query_ids
    evaluated = material.evaluated
    if len(ids) <= limit or evaluated is None:
        return ids[:limit]

    def change(query_id: str) -> float:
        return -abs(evaluated.difference(material.focus, material.baseline, query_id) or 0.0)

    kept = set(sorted(ids, key=change)[:limit])
    return [query_id for query_id in ids if query_id in kept]


def _gains_title(material: Material) -> str:
    """Return what the charts below the figures are about: a gain, a loss, or neither."""
    evaluated, base = material.evaluated, material.baseline
    if evaluated is None or base is None:
        return "What reranking changed"
    measure = evaluated.measures[0]
    change = evaluated.figures[material.focus][measure] - evaluated.figures[base][measure]
    if round(change, 4) == 0:
        return "What reranking changed"
    return f"Where the {'gain' if change > 0 else 'loss'} comes from"


def _left_out(material: Material, shown: int) -> str:
    notes = []
    count = len(material.query_ids)
    if shown < count:
        notes.append(f"{shown} of {count} queries are shown, those that changed most.")
    if any(len(material.orders(query_id)[1]) > HITS for query_id in material.query_ids):
        notes.append(f"The first {HITS} hits of each query are shown.")
    if material.baseline and material.reranked not in (None, material.baseline):
        notes.append(
            f"The old orders are {material.reranked}'s, which was reranked; values before are "
            f"{material.baseline}'s."
        )
    return " ".join(notes)


def _tiles(material: Material) -> list[Tile]:
    tiles = []
    evaluated = material.evaluated
    if evaluated is not None:
        measure = evaluated.measures[0]
        after = evaluated.figures[material.focus][measure]
        before = evaluated.figures[material.baseline][measure] if material.baseline else None
        note = "" if before is None else f"was {before:.4f}, {number(after - before, 4, '+')}"
        tiles.append(Tile(measure, f"{after:.4f}", note))
        if material.focus in evaluated.outcomes:
            wins, ties, losses = evaluated.outcomes[material.focus]
            tiles.append(Tile("queries better", f"{wins}", f"{ties} equal, {losses} worse"))
    relevant = _relevant_on_top(material)
    if relevant is not None:
        was, now = relevant
        tiles.append(Tile(f"relevant in the top {TOP}", f"{now}", f"was {was}"))
    if material.trace:
        totals = total(material.trace)
        each = totals.completion_tokens / max(totals.windows, 1)
        share = f"{totals.flawed} with flaws, {totals.cached} from the cache"
        tiles.append(Tile("windows", f"{totals.windows:,}", share))
        tiles.append(Tile("tokens written", f"{totals.completion_tokens:,}", f"{each:,.0f} each"))
    return tiles


def _relevant_on_top(material: Material) -> tuple[int, int] | None:
    """Return how many relevant passages the top ranks held before and hold after, in all.

    Both are of runs, as all figures on the tiles are: before is the baseline, where there is one.
    """
    counts = [0, 0]
    after = material.runs[material.focus].rankings
    before = material.runs[material.baseline].rankings if material.baseline else None
    for query_id in material.query_ids:
        old = material.orders(query_id)[0] if before is None else before.get(query_id, ())
        for index, order in enumerate((old, after.get(query_id, ()))):
            counts[index] += sum(
                material.context.is_relevant(query_id, doc_id) for doc_id in order[:TOP]
            )
    return (counts[0], counts[1]) if any(counts) and material.context.judgements else None


def _grades(material: Material) -> list[tuple[str, str]]:
    """Return the legend: shade and meaning, the highest grade first; empty without judgements."""
    found = {
        grade
        for judged in material.context.judgements.values()
        for grade in judged.values()
        if grade > 0
    }
    if not material.context.judgements:
        return []
    by_shade: dict[str, list[str]] = {}
    for grade in sorted(found, reverse=True):
        by_shade.setdefault(shade(grade, material.highest), []).append(str(grade))
    legend = [(name, "relevance " + ", ".join(grades)) for name, grades in by_shade.items()]
    return [*legend, ("g0", "not relevant"), ("gu", "not judged")]


def _provenance(
    material: Material, files: Sequence[tuple[str, str]]
) -> list[tuple[str, Sequence[tuple[str, str]]]]:
    groups: list[tuple[str, Sequence[tuple[str, str]]]] = []
    if material.trace and material.trace.provenance:
        groups.append(("The reranking", list(flat(material.trace.provenance.items()))))
    fact = input_fact(material)
    if fact:
        files = [*files, ("input of the trace", fact)]
    groups.append(("This report", [("rearank", __version__), *files]))
    return groups


def flat(items: Iterable[tuple[str, Any]], prefix: str = "") -> Facts:
    """Return nested values as (dotted name, text); lists of words become one line."""
    found: Facts = []
    for key, value in items:
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += flat(value.items(), f"{name}.")
        elif isinstance(value, list):
            found.append((name, " ".join(map(str, value))))
        elif value is not None:
            found.append((name, str(value)))
    return found
