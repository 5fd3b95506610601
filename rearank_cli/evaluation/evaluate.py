"""The one call behind `rearank eval`: runs and judgements in, everything worth saying out."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.evaluation.asked import Asked, leave_out, not_asked_notes, strangers_text
from rearank_cli.evaluation.comparison import Comparison, compare
from rearank_cli.evaluation.conventions import (
    EXCLUDED,
    Coverage,
    coverage,
    only_judged,
    query_notes,
    split_judgements,
    without,
)
from rearank_cli.evaluation.measures import depth_for, judged_beside
from rearank_cli.evaluation.scoring import Evaluation, Judgements, Scorer
from rearank_cli.evaluation.style import Ties
from rearank_cli.formats.files import STDIO, display_name
from rearank_cli.formats.packed import KINDS
from rearank_cli.formats.trec_fast import read_run_head
from rearank_cli.records import Qrel, Run


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure and how.

    `sources` are files by label; `baseline` is one of the labels; `measures` are ir_measures'.
    """

    sources: Mapping[str, str]
    measures: Sequence[Any]
    baseline: str | None = None
    judged_queries_only: bool = False
    drop_unjudged: bool = False
    ties: Ties = Ties.DOCID
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came out, in the order of the request.

    `judged` is the figure of `judged_name` (such as Judged@10) by run; `notes` are sentences that
    belong under the figures.
    """

    measures: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    judged_name: str
    judged: Mapping[str, float]
    coverages: tuple[Coverage, ...]
    baseline: Evaluation | None
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]


def label_sources(sources: Sequence[str]) -> dict[str, str]:
    """Return the files by a short, distinct label: the file's name without its endings.

    Files that share a name are labelled by their path. Raises `RearankError` for one named twice.
    """
    for source in sources:
        if sources.count(source) > 1:
            raise RearankError(f"{source}: expected each run once, found it twice")
    short = [_stem(source) for source in sources]
    return {
        source if short.count(name) > 1 else name: source
        for source, name in zip(sources, short, strict=True)
    }


def _stem(source: str) -> str:
    if source == STDIO:
        return "stdin"
    name = source.rstrip("/").rsplit("/", 1)[-1]
    for ending in (*KINDS, ".trec", ".run", ".txt"):
        name = name.removesuffix(ending) or name
    return name


def evaluate(request: Request, qrels: Iterable[Qrel]) -> Report:
    """Measure every run of the request, one in memory at a time, and compare them if asked.

    Raises `RearankError` for a run that cannot be read or a measure that cannot be computed.
    """
    judgements, excluded, contradicting = split_judgements(qrels)
    left_out = leave_out(request.asked, judgements)
    judged = judged_beside(request.measures)
    measures = [*request.measures, *({judged} - set(request.measures))]
    scorer = Scorer(judgements, measures, complete=not request.judged_queries_only)
    depth = None if request.drop_unjudged or excluded else depth_for(measures)
    measured: list[Evaluation] = []
    coverages: list[Coverage] = []
    for label, source in request.sources.items():
        run = read_run_head(source, judgements, depth)
        _check_queries(source, run, judgements)
        run = _prepared(run, request, judgements, excluded)
        measured.append(scorer.evaluate(label, run))
        coverages.append(coverage(label, run, judgements))
    names = tuple(str(measure) for measure in request.measures)
    evaluations = tuple(_only(item, names) for item in measured)
    baseline = next((item for item in evaluations if item.label == request.baseline), None)
    return Report(
        measures=names,
        evaluations=evaluations,
        judged_name=str(judged),
        judged={item.label: item.figures[str(judged)] for item in measured},
        coverages=tuple(coverages),
        baseline=baseline,
        comparisons=tuple(compare(evaluations, baseline)) if baseline else (),
        notes=(
            *query_notes(judgements, coverages, scorer.complete),
            *_asked_notes(request, judgements, coverages, left_out),
            *_document_notes(request, coverages, excluded, contradicting),
        ),
    )


def _asked_notes(
    request: Request,
    judgements: Judgements,
    coverages: Sequence[Coverage],
    left_out: Sequence[str],
) -> list[str]:
    if left_out:
        return [f"{strangers_text(left_out)} and were left out (`asked_queries_only`)"]
    if request.asked is None or request.judged_queries_only:
        return []
    missing = {query_id for item in coverages for query_id in item.missing}
    return not_asked_notes(request.asked, [each for each in judgements if each in missing])


def _check_queries(source: str, run: Run, judgements: Judgements) -> None:
    if not any(query_id in judgements for query_id in run.rankings):
        ours, theirs = next(iter(run.rankings)), next(iter(judgements), "none")
        raise RearankError(
            f"{display_name(source)}: none of its {len(run.rankings)} queries is judged "
            f"(it has {ours}, the judgements have {theirs})",
            hint="are these the judgements for this run?",
        )


def _prepared(
    run: Run, request: Request, judgements: Judgements, excluded: Mapping[str, Set[str]]
) -> Run:
    """Apply what the request and the judgements say about documents and ties."""
    if excluded:
        run = without(run, excluded)
    if request.drop_unjudged:
        run = only_judged(run, judgements)
    return Run.by_rank(run.rankings, run.tag) if request.ties is Ties.RANK else run


def _only(evaluation: Evaluation, names: Iterable[str]) -> Evaluation:
    """Return an evaluation without the measures that nobody asked for."""
    return Evaluation(
        evaluation.label,
        {name: evaluation.figures[name] for name in names},
        {name: evaluation.per_query[name] for name in names},
    )


def _document_notes(
    request: Request,
    coverages: Sequence[Coverage],
    excluded: Mapping[str, Set[str]],
    contradicting: int,
) -> list[str]:
    notes = []
    if any(item.tied for item in coverages):
        notes.append(
            "equal scores are ordered by doc id: descending by trec_eval's measures, ascending by "
            "RR@k and Judged@k; `ties=rank` keeps the rank column's order"
        )
    if request.ties is Ties.RANK:
        notes.append("equal scores keep the order of the rank column (`ties=rank`)")
    if request.drop_unjudged:
        notes.append("documents without a judgement were dropped (`drop_unjudged`)")
    if excluded:
        count = sum(map(len, excluded.values()))
        notes.append(
            f"{count} judgements of {EXCLUDED} exclude their documents, which were dropped"
        )
    if contradicting:
        notes.append(f"{contradicting} judgements contradict an earlier one; the last one counts")
    return notes
