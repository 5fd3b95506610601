"""Which documents and which queries count, and what a reader of the figures has to know of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from rearank_cli.evaluation.scoring import Judgements
from rearank_cli.records import Qrel, Run

EXCLUDED = -100
"""The relevance with which ir_datasets marks BRIGHT's `excluded_ids`: documents that a system must
not return for a query. They are taken out of runs and judgements; no measure sees the -100."""

RELEVANT = 1


def split_judgements(
    qrels: Iterable[Qrel],
) -> tuple[dict[str, dict[str, int]], dict[str, set[str]], int]:
    """Return the judgements, the excluded doc ids by query, and how many grades contradict.

    A document judged twice for a query keeps its last grade, as in ir_measures. A query with
    nothing but excluded documents keeps its place, with no judgements.
    """
    judgements: dict[str, dict[str, int]] = {}
    excluded: dict[str, set[str]] = {}
    contradicting = 0
    for query_id, doc_id, relevance, *_ in qrels:
        judged = judgements.setdefault(query_id, {})
        if relevance == EXCLUDED:
            excluded.setdefault(query_id, set()).add(doc_id)
            continue
        contradicting += judged.get(doc_id, relevance) != relevance
        judged[doc_id] = relevance
    return judgements, excluded, contradicting


def without(run: Run, excluded: Mapping[str, Set[str]]) -> Run:
    """Return a run without the documents that are excluded for their query."""
    return _filtered(run, lambda query_id, doc_id: doc_id not in excluded.get(query_id, ()))


def only_judged(run: Run, judgements: Judgements) -> Run:
    """Return the condensed run: documents without a judgement left out (Sakai, SIGIR 2007)."""
    return _filtered(run, lambda query_id, doc_id: doc_id in judgements.get(query_id, ()))


def _filtered(run: Run, keeps: Callable[[str, str], bool]) -> Run:
    rankings, scores = {}, {}
    for query_id, ranking in run.rankings.items():
        pairs = [
            (doc_id, score)
            for doc_id, score in zip(ranking, run.scores[query_id], strict=True)
            if keeps(query_id, doc_id)
        ]
        rankings[query_id] = tuple(doc_id for doc_id, _ in pairs)
        scores[query_id] = tuple(score for _, score in pairs)
    return Run(rankings, scores, run.tag)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a run and the judgements meet.

    `missing`: judged queries that the run lacks; `unjudged`: queries of the run that nobody
    judged; `tied`: judged queries with equal scores (as float32) among the hits that count.
    """

    label: str
    missing: tuple[str, ...]
    unjudged: tuple[str, ...]
    tied: tuple[str, ...]


def coverage(label: str, run: Run, judgements: Judgements) -> Coverage:
    """Compare the queries of a run with those that are judged."""
    return Coverage(
        label,
        tuple(query_id for query_id in judgements if query_id not in run.rankings),
        tuple(query_id for query_id in run.rankings if query_id not in judgements),
        tuple(query_id for query_id in judgements if _has_ties(run.scores.get(query_id, ()))),
    )


def _has_ties(scores: Sequence[float]) -> bool:
    with np.errstate(over="ignore"):
        single = np.array(scores, dtype=np.float32)
    return bool((single[1:] == single[:-1]).any())


def query_notes(
    judgements: Judgements, coverages: Sequence[Coverage], complete: bool = True
) -> list[str]:
    """Return the sentences about queries that belong under the figures of some runs."""
    bare = sum(max(judged.values(), default=0) < RELEVANT for judged in judgements.values())
    convention = "all count" if complete else "those that a run has count"
    notes = [
        f"{counted(list(judgements), 'judged')}: {convention}; {bare} without a relevant document"
    ]
    fate = "counted as 0" if complete else "left out"
    for item in coverages:
        if item.missing:
            notes.append(
                f"{item.label}: {counted(item.missing, 'judged')} missing, {fate} "
                f"({few(item.missing)})"
            )
        if item.unjudged:
            notes.append(f"{item.label}: {counted(item.unjudged, 'unjudged')}, ignored")
        if item.tied:
            notes.append(f"{item.label}: equal scores in {counted(item.tied, 'judged')}")
    if len({frozenset(item.missing) for item in coverages}) > 1:
        notes.append("the runs do not have the same queries")
    return notes


def counted(query_ids: Sequence[str], kind: str) -> str:
    """Return `1 judged query` or `2 judged queries`."""
    return f"{len(query_ids)} {kind} {'query' if len(query_ids) == 1 else 'queries'}"


def few(query_ids: Sequence[str], limit: int = 3) -> str:
    """Return the first few ids for a message."""
    shown = ", ".join(query_ids[:limit])
    return shown if len(query_ids) <= limit else f"{shown}, …"
