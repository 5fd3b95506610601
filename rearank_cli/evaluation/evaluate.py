"""Runs and judgements in, everything worth saying out."""

import os
from collections.abc import Iterable, Mapping, Sequence

from rearank_cli.collection.judgements import EXCLUDED, Judgements
from rearank_cli.errors import RearankError
from rearank_cli.evaluation.asked import leave_out, not_asked_notes, strangers_text
from rearank_cli.evaluation.comparison import compare
from rearank_cli.evaluation.conventions import Coverage, coverage, only_judged, query_notes
from rearank_cli.evaluation.given import JudgementsLike, judgements_of
from rearank_cli.evaluation.inquiry import Inquiry, Report
from rearank_cli.evaluation.labels import RunLike, label_runs, load_run
from rearank_cli.evaluation.measures import DEFAULT, depth_for, judged_beside, parse_measures
from rearank_cli.evaluation.scoring import Evaluation, Scorer
from rearank_cli.evaluation.style import Ties
from rearank_cli.formats.files import display_name
from rearank_cli.log import counted
from rearank_cli.records import Run


def evaluate(
    runs: RunLike | Sequence[RunLike] | Mapping[str, RunLike],
    qrels: JudgementsLike,
    measures: str | Sequence[str] = (DEFAULT,),
    baseline: RunLike | None = None,
) -> Report:
    """Measure one run or several, in memory or in files, and compare them with a baseline.

    `qrels` are a collection, its name, a file, or judgements in memory; `measures` any names of
    ir_measures. `baseline` is one of the runs, its label, or another run. Every judged query
    counts, one that a run lacks as 0. Raises `RearankError` for what cannot be read or measured.

    >>> from rearank_cli import Run, evaluate
    >>> run = Run.by_rank({"q1": ("d2", "d1"), "q2": ("d3",)}, "mine")
    >>> found = evaluate(run, {"q1": {"d1": 1}, "q2": {"d3": 1}}, ["RR@10"])
    >>> found.figures
    {'mine': {'RR@10': 0.75}}
    >>> found.per_query["mine"]["RR@10"]["q1"]
    0.5
    """
    labelled = label_runs(runs)
    compared, against = _baseline(labelled, baseline)
    names = [measures] if isinstance(measures, str) else measures
    return inquire(Inquiry(compared, parse_measures(names), against), judgements_of(qrels))


def _baseline(
    runs: dict[str, RunLike], baseline: RunLike | None
) -> tuple[dict[str, RunLike], str | None]:
    """Return the runs with the baseline among them, and its label."""
    if baseline is None:
        return runs, None
    if isinstance(baseline, str) and baseline in runs:
        return runs, baseline
    for label, run in runs.items():
        if run is baseline or (not isinstance(run, Run | Mapping) and _same(run, baseline)):
            return runs, label
    (label,) = label_runs(baseline)
    free = label if label not in runs else f"{label} (baseline)"
    return {free: baseline, **runs}, free


def _same(file: str | os.PathLike[str], other: RunLike) -> bool:
    return not isinstance(other, Run) and os.fspath(file) == os.fspath(other)


def inquire(request: Inquiry, judgements: Judgements) -> Report:
    """Measure every run of an inquiry, one in memory at a time, and compare them if asked.

    Raises `RearankError` for a run that cannot be read or a measure that cannot be computed.
    """
    judgements, left_out = leave_out(request.asked, judgements)
    judged = judged_beside(request.measures)
    measures = [*request.measures, *({judged} - set(request.measures))]
    scorer = Scorer(judgements, measures, complete=not request.judged_queries_only)
    depth = None if request.drop_unjudged or judgements.excluded else depth_for(measures)
    measured: list[Evaluation] = []
    coverages: list[Coverage] = []
    for label, given in request.runs.items():
        run = load_run(given, judgements, depth)
        _check_queries(label if isinstance(given, Run) else display_name(given), run, judgements)
        run = _prepared(run, request, judgements)
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
            *_document_notes(request, coverages, judgements),
        ),
    )


def _asked_notes(
    request: Inquiry,
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


def _check_queries(name: str, run: Run, judgements: Judgements) -> None:
    if not any(query_id in judgements for query_id in run.rankings):
        ours, theirs = next(iter(run.rankings)), next(iter(judgements), "none")
        raise RearankError(
            f"{name}: of its {counted(len(run.rankings), 'query')} none is judged "
            f"(it has {ours}, the judgements have {theirs})",
            hint="are these the judgements for this run?",
        )


def _prepared(run: Run, request: Inquiry, judgements: Judgements) -> Run:
    """Apply what the request and the judgements say about documents and ties."""
    run = judgements.allowed(run)
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
    request: Inquiry,
    coverages: Sequence[Coverage],
    judgements: Judgements,
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
    if judgements.excluded:
        count = sum(map(len, judgements.excluded.values()))
        notes.append(f"the documents of {counted(count, 'judgement')} of {EXCLUDED} were dropped")
    if judgements.contradicting:
        notes.append(
            f"contradicted by a later one: {counted(judgements.contradicting, 'judgement')}; the "
            "last one counts"
        )
    return notes
