"""Which documents and which queries count, and what a reader of the figures has to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rearank_cli.collection.judgements import RELEVANT, Judgements
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
