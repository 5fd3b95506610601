"""Runs as pandas frames; pandas is imported only when one is asked for."""

from collections import Counter
from collections.abc import Hashable
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.records import Ranking, Run

QUERY, DOCUMENT = ("qid", "query_id"), ("docno", "doc_id")
"""Names of the columns: PyTerrier's, which are also written, then ours and ir_measures'."""


def to_frame(run: Run) -> Any:
    """Return one row per hit, with the columns qid, docno, score and rank (from 0)."""
    import pandas as pd

    rows = [
        (query_id, doc_id, score, rank)
        for query_id, ranking in run.rankings.items()
        for rank, (doc_id, score) in enumerate(
            zip(ranking, run.scores[query_id], strict=True),
        )
    ]
    return pd.DataFrame(rows, columns=[QUERY[0], DOCUMENT[0], "score", "rank"])


def from_frame(frame: Any, tag: str) -> Run:
    """Return the run of a frame; raises `RearankError` for a column or value that is missing."""
    query, document = _column(frame, QUERY), _column(frame, DOCUMENT)
    by, rising = [], []
    for name, rises in (("score", False), ("rank", True)):
        if name in frame.columns:
            by.append(name)
            rising.append(rises)
    used = frame[[query, document, *by]]
    if used.isna().any().any():
        raise RearankError("expected a value in every row of the frame, found one without")
    # Sorting by one column after the other: pandas promises to keep the order for one column only.
    for name, rises in reversed(list(zip(by, rising, strict=True))):
        used = used.sort_values(name, ascending=rises, kind="stable")
    rankings: dict[str, Ranking] = {}
    scores: dict[str, tuple[float, ...]] = {}
    places: dict[Hashable, Any] = dict(iter(used.groupby(query, sort=False)))
    for name in dict.fromkeys(frame[query]):
        rows = places[name]
        ranking = tuple(map(str, rows[document]))
        if len(set(ranking)) < len(ranking):
            (twice, _), *_ = Counter(ranking).most_common()
            raise RearankError(f"expected every document once, found {twice} twice in query {name}")
        rankings[str(name)] = ranking
        if "score" in by:
            scores[str(name)] = tuple(map(float, rows["score"]))
    return Run(rankings, scores, tag) if "score" in by else Run.by_rank(rankings, tag)


def _column(frame: Any, names: tuple[str, ...]) -> str:
    for name in names:
        if name in frame.columns:
            return name
    raise RearankError(
        f"expected a column {' or '.join(names)}, found {', '.join(map(str, frame.columns))}"
    )
