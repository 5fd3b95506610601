"""TREC files: the only reader and writer of runs and qrels; topics are read beside it."""

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, display_name, read_lines, write_text
from rearank_cli.formats.hits import Hits, PackedIds
from rearank_cli.formats.topics import read_queries
from rearank_cli.log import counted, warn
from rearank_cli.records import Qrel, Ranking, Run

__all__ = ["read_qrels", "read_queries", "read_run", "write_run"]

Source = str | os.PathLike[str]
T = TypeVar("T")

RUN_LINE = "query_id Q0 doc_id rank score tag"


# --- runs -------------------------------------------------------------------------------------


def read_run(source: Source, depth: int | None = None) -> Run:
    """Read a run: per query the doc ids by falling score, equal scores by the rank column.

    Lines are taken apart from both ends, so that a doc id may hold spaces. Of the hits below a
    `depth` only the ids are kept, in `Run.below`. Raises `RearankError` with `path:line` for
    anything that is not a run; warns once when ranks contradict scores.

    >>> from rearank_cli import read_run
    >>> run = read_run("bm25.trec")
    >>> run.tag, run.rankings["q01"][:2]
    ('bm25', ('phys-001', 'phys-002'))
    """
    name = display_name(source)
    by_query: dict[str, Hits] = {}
    last, hits, mixed = "", Hits(), False
    tag = ""
    for number, line in read_lines(source):
        if not line.strip():
            continue
        query_id, doc_id, rank, score, tag = _run_fields(name, number, line)
        if query_id != last or not by_query:
            if not mixed:  # packing and unpacking by turns would take for ever
                hits.pack()
            mixed = mixed or query_id in by_query
            last, hits = query_id, by_query.setdefault(query_id, Hits())
        if not hits.add(doc_id, score, rank):
            raise RearankError(
                f"{name}:{number}: doc id {doc_id} is there twice for query {query_id}",
                hint="a run names each document once per query; remove one of the two lines",
            )
    if not by_query:
        hint = f"a line is: {RUN_LINE}"
        if str(source) == STDIO:
            hint = "the command in front of the pipe may have failed: see what it said"
        raise RearankError(f"{name}: expected a run, found no lines", hint=hint)
    return _ordered(name, by_query, tag, depth)


def _run_fields(name: str, number: int, line: str) -> tuple[str, str, int, float, str]:
    try:
        query_id, _, rest = line.split(None, 2)
        doc_id, rank, score, tag = rest.rsplit(None, 3)
    except ValueError:
        raise RearankError(
            f"{name}:{number}: expected 6 columns ({RUN_LINE}), found {len(line.split())}",
        ) from None
    value = _parsed(float, score)
    if value is None or not math.isfinite(value):
        raise RearankError(
            f"{name}:{number}: expected a finite number as score (column 5), found {score!r}"
        )
    place = _parsed(int, rank)
    if place is None:
        raise RearankError(
            f"{name}:{number}: expected a whole number as rank (column 4), found {rank!r}"
        )
    return query_id, doc_id, place, value, tag


def _parsed(kind: Callable[[str], T], text: str) -> T | None:
    try:
        return kind(text)
    except ValueError:
        return None


def _ordered(name: str, by_query: dict[str, Hits], tag: str, depth: int | None) -> Run:
    """Return the run; the hits of a query are let go as soon as they are in it."""
    rankings: dict[str, Ranking] = {}
    scores: dict[str, tuple[float, ...]] = {}
    below: dict[str, Sequence[str]] = {}
    contradicting = []
    for query_id in list(by_query):
        ids, values, contradicts = by_query.pop(query_id).ordered()
        if contradicts:
            contradicting.append(query_id)
        rankings[query_id] = tuple(ids[:depth])
        scores[query_id] = tuple(values[:depth])
        if rest := ids[len(rankings[query_id]) :]:
            below[query_id] = PackedIds(rest)
    if contradicting:
        warn_of_ranks(name, len(contradicting), contradicting[0])
    return Run(rankings, scores, tag, below)


def warn_of_ranks(name: str, count: int, first: str) -> None:
    """Warn that the ranks of `count` queries contradict the scores."""
    warn(
        f"{name}: the rank column contradicts the scores in {counted(count, 'query')} "
        f"(first: {first}); the scores count"
    )


def write_run(target: Source, run: Run) -> None:
    """Write a run whole or not at all, with its own scores (6 decimals) and ranks from 1.

    Raises `RearankError` for a tag that is no single word.

    >>> from rearank_cli import Run, write_run
    >>> write_run("new.trec", Run.by_rank({"q1": ("d2", "d1")}, "mine"))
    >>> print(open("new.trec").read(), end="")
    q1 Q0 d2 1 2 mine
    q1 Q0 d1 2 1 mine
    """
    if not re.fullmatch(r"\S+", run.tag):
        raise RearankError(f"expected a run tag without spaces, found {run.tag!r}")
    with write_text(target) as handle:
        handle.writelines(run_lines(run))


def run_lines(run: Run) -> Iterator[str]:
    """Yield the lines of a run as they are written."""
    for query_id, ranking in run.rankings.items():
        scored = zip(ranking, run.scores[query_id], strict=True)
        for rank, (doc_id, score) in enumerate(scored, 1):
            shown = f"{score:.0f}" if score == int(score) else f"{score:.6f}"
            yield f"{query_id} Q0 {doc_id} {rank} {shown} {run.tag}\n"


# --- qrels ------------------------------------------------------------------------------------


def read_qrels(source: Source) -> list[Qrel]:
    """Read judgements in TREC (`query_id 0 doc_id relevance`) or BEIR TSV (with header) form.

    Raises `RearankError` with `path:line` for anything else, and for a file without judgements.
    """
    name = display_name(source)
    qrels = [
        _qrel(name, number, line)
        for number, line in read_lines(source)
        if line.strip() and not _is_beir_header(number, line)
    ]
    if not qrels:
        raise RearankError(
            f"{name}: expected relevance judgements, found no lines",
            hint="a line is: query_id 0 doc_id relevance",
        )
    return qrels


def _is_beir_header(number: int, line: str) -> bool:
    return number == 1 and line.lower().split() == ["query-id", "corpus-id", "score"]


def _qrel(name: str, number: int, line: str) -> Qrel:
    fields = line.split("\t") if line.count("\t") == 2 else _trec_qrel_fields(line)
    if len(fields) != 3:
        raise RearankError(
            f"{name}:{number}: expected 4 columns (query_id 0 doc_id relevance) or 3 separated by "
            f"tabs (query-id corpus-id score), found {len(line.split())}",
        )
    query_id, doc_id, relevance = fields
    # pandas writes whole numbers as 1.0 where its column has a gap.
    grade = _parsed(int, re.sub(r"\.0*$", "", relevance))
    if grade is None:
        raise RearankError(
            f"{name}:{number}: expected a whole number as relevance, found {relevance!r}"
        )
    return Qrel(query_id, doc_id, grade)


def _trec_qrel_fields(line: str) -> list[str]:
    """Take a TREC judgement apart from both ends, so that a doc id may hold spaces."""
    if len(line.split()) < 4:
        return []
    query_id, _, rest = line.split(None, 2)
    return [query_id, *rest.rsplit(None, 1)]
