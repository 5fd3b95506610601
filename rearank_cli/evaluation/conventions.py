"""Which documents and which queries count, and what a reader of the figures has to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rearank_cli.collection.judgements import RELEVANT, Judgements
from rearank_cli.log import counted
from rearank_cli.records import Run


def only_judged(run: Run, judgements: Judgements) -> Run:
    """Return the condensed run: documents without a judgement left out (Sakai, SIGIR 2007)."""
    return run.keeping(lambda query_id, doc_id: judgements.grade(query_id, doc_id) is not None)


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
    bare = sum(max(grades.values(), default=0) < RELEVANT for grades in judgements.values())
    convention = "all count" if complete else "those that a run has count"
    judged = counted(len(judgements), "judged query")
    notes = [f"{judged}: {convention}; {bare} without a relevant document"]
    fate = "counted as 0" if complete else "left out"
    for item in coverages:
        if item.missing:
            notes.append(
                f"{item.label}: {counted(len(item.missing), 'judged query')} missing, {fate} "
                f"({few(item.missing)})"
            )
        if item.tied:
            notes.append(f"{item.label}: equal scores in {counted(len(item.tied), 'judged query')}")
    notes += _unjudged_notes(coverages)
    if len({frozenset(item.missing) for item in coverages}) > 1:
        notes.append("the runs do not have the same queries")
    return notes


def _unjudged_notes(coverages: Sequence[Coverage]) -> list[str]:
    """Say in one line for all runs which queries nobody judged."""
    having = [item for item in coverages if item.unjudged]
    if not having:
        return []
    if len({frozenset(item.unjudged) for item in coverages}) == 1:
        found = f"{counted(len(having[0].unjudged), 'unjudged query')}, ignored"
        return [found if len(coverages) > 1 else f"{having[0].label}: {found}"]
    each = ", ".join(f"{item.label} {len(item.unjudged)}" for item in having)
    return [f"unjudged queries, ignored: {each}"]


def few(query_ids: Sequence[str], limit: int = 3) -> str:
    """Return the first few ids for a message."""
    shown = ", ".join(query_ids[:limit])
    return shown if len(query_ids) <= limit else f"{shown}, …"
