"""From named runs to pages: one of a collection, or one each of several and their index."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rearank_cli.cli.evaluating import Group, baseline_in, column_name, rows_of
from rearank_cli.cli.names import collection_label, trace_beside
from rearank_cli.cli.origins import Sourced, opened
from rearank_cli.cli.wording import spelled
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, check_writable, write_text
from rearank_cli.formats.origin import Source
from rearank_cli.formats.packed import plain_name
from rearank_cli.formats.trec import read_run
from rearank_cli.log import note
from rearank_cli.records import Run
from rearank_cli.report import evaluated as measuring
from rearank_cli.report.build import build_page
from rearank_cli.report.context import Context, gather
from rearank_cli.report.html import render, render_index
from rearank_cli.report.index import Part, build_index
from rearank_cli.report.matching import check_trace
from rearank_cli.report.material import HITS, Material
from rearank_cli.report.page import Page
from rearank_cli.report.story import load_trace


@dataclass(frozen=True)
class Asked:
    """What pages are to show: a trace, measures, asked queries only, at most so many queries.

    `names` are the labels that were given to runs.
    """

    trace: str | None
    measures: list[str] | None
    asked_only: bool
    limit: int
    names: Mapping[str, str] = field(default_factory=dict)


def page_of(
    runs: Sequence[str], baseline: str | None, source: Source | None, asked: Asked
) -> tuple[Page, Material]:
    """Return the page of runs of one collection, and what it is made from.

    `baseline` may be one of the runs or another file. Raises `RearankError` for what cannot be
    read, or does not belong together.
    """
    given = [baseline] if baseline and baseline not in runs else []
    found, labels = measuring.runs_by_label([*given, *runs], asked.names)
    sources = {label: file for file, label in labels.items()}
    whole = {label: run if isinstance(run, Run) else read_run(run) for label, run in found.items()}
    material = _material(whole, labels.get(baseline or ""), source, asked)
    files = _files(sources, asked.trace, source, material.context)
    return build_page(material, asked.limit, files), material


def write_several(
    groups: Sequence[Sourced], baseline: str | None, asked: Asked, output: str
) -> None:
    """Write a page for each collection beside `output`, which becomes their index."""
    if output == STDIO:
        raise RearankError(
            f"expected a file for the index of {len(groups)} collections, found stdout",
            hint="-o report.html writes report.COLLECTION.html beside it",
        )
    if asked.trace:
        raise RearankError(
            "`trace`: expected no name for several collections; each run has its own beside it"
        )
    known = [each for each in groups if each.source]
    if len(known) < len(groups):
        run = next(each.runs[0] for each in groups if each.source is None)
        raise RearankError(
            f"{run}: expected its collection, as other runs have one, found none",
            hint="name the one of all runs with -d, or leave this run out",
        )
    judged = [_group(each, asked.names) for each in known]
    names = [column_name(group) for group in judged]
    if len(set(names)) < len(names):
        names = [group.label for group in judged]
    path = Path(output)
    plain = Path(plain_name(path.name))
    ending = (plain.suffix or ".html") + path.name.removeprefix(plain.name)
    places = [path.with_name(f"{plain.stem}.{name}{ending}") for name in names]
    for place in places:
        check_writable(str(place))
    parts = []
    for name, place, group, each in zip(names, places, judged, known, strict=True):
        base = baseline_in(group, baseline) if baseline else None
        base = base or (group.runs[0] if len(group.runs) > 1 else None)
        own = replace(asked, trace=_trace_beside(group.runs, base))
        page, material = page_of(group.runs, base, each.source, own)
        html = render(page)
        with write_text(str(place)) as handle:
            handle.write(html)
        note(f"report: {place} ({len(html.encode()) / 1e6:.1f} MB)")
        parts.append(Part(name, place.name, page, material.evaluated, rows_of(group)))
    command = ("command", _typed())
    with write_text(output) as handle:
        handle.write(render_index(build_index(parts, [command])))
    note(f"report: {output}, the index of {len(parts)} collections")


def _group(each: Sourced, names: Mapping[str, str]) -> Group:
    source = each.source
    assert source is not None  # noqa: S101  checked by the caller
    label = collection_label(source.label)
    runs = list(each.runs)
    return Group(label, source.dataset, source.qrels, runs, source.short, names)


def _trace_beside(runs: Sequence[str], baseline: str | None) -> str | None:
    """Return the trace of the last run that has one beside it and is not the baseline."""
    found = [trace_beside(run) for run in reversed(runs) if run != baseline]
    return next((trace for trace in found if trace), None)


def _material(
    runs: dict[str, Run], baseline: str | None, source: Source | None, asked: Asked
) -> Material:
    collection = opened(source) if source else None
    loaded = load_trace(asked.trace) if asked.trace else None
    rankings = [ranking for run in runs.values() for ranking in run.rankings.values()]
    rankings += [story.new for story in loaded.stories.values()] if loaded else []
    context = gather(collection, (doc for ranking in rankings for doc in ranking[:HITS]))
    name = collection.name if collection else ""
    check_trace(Material(runs, baseline, loaded, context, None), name)
    evaluated = None
    if asked.asked_only and not context.queries:
        raise RearankError(
            "--asked-queries-only: expected a collection with queries, found none",
            hint="name it with -d NAME, or its queries with --queries FILE",
        )
    if context.judgements:
        only = measuring.Asked(context.queries.keys, asked.asked_only) if context.queries else None
        chosen = asked.measures or [measuring.DEFAULT]
        evaluated = measuring.measure_runs(runs, chosen, baseline, context.judgements, only)
        evaluated = replace(evaluated, notes=tuple(map(spelled, evaluated.notes)))
    if asked.asked_only:
        context = context.of_asked_queries()
    return Material(runs, baseline, loaded, context, evaluated)


def _typed() -> str:
    import shlex

    return shlex.join(["rearank", *sys.argv[1:]])


def _files(
    sources: dict[str, str], trace: str | None, source: Source | None, context: Context
) -> list[tuple[str, str]]:
    """Return what the report was made from, with the hashes of files and judgements."""
    found = [("command", _typed())]
    for name, place in [*sources.items(), *([("trace", trace)] if trace else [])]:
        found.append((name, f"{place} sha256:{measuring.file_hash(place) or 'not a file'}"))
    if context.judgements and source:
        origin = source.qrels or source.dataset or ""
        digest = measuring.judgements_hash(context.judgements.qrels)
        found.append(("judgements", f"{origin} sha256:{digest}"))
    return found
