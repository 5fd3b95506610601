"""How good and how fast the embedded model is on this machine's CPU.

`python -m benchmarks.small.run` reranks BM25's first hits of several collections with the default
of `rearank rerank`, without what it was taught (`untrained`), and as one-token windows (`letters`),
and prints a table: nDCG@10, the difference from BM25 with the p-value of a paired t-test, then
Holm's over a system's collections at a depth, the p-value against `untrained`, pairs a second.
What the cache knows would take no time, so the cache is off.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from rearank_cli.collection import Collection
from rearank_cli.collection.opening import open_collection
from rearank_cli.engines.defaults import EMBEDDED
from rearank_cli.engines.machine import cpu_has_bfloat16
from rearank_cli.evaluation.measures import parse_measures
from rearank_cli.evaluation.scoring import Scorer
from rearank_cli.evaluation.significance import holm, t_test
from rearank_cli.formats.trec import read_run
from rearank_cli.records import Run
from rearank_cli.reranking.reranker import Reranker

MEASURE = "nDCG@10"
MEASURED = ("demo", "cacm", "dl19")
# On these, and cf, the recipe's numbers were chosen.
CHOSEN_ON = ("cisi", "med", "nfcorpus", "vaswani")
SYSTEMS: Mapping[str, Mapping[str, Any]] = {
    "untrained": {"model": EMBEDDED, "recipe": "likelihood", "adapter": "none"},
    "default": {},
    "letters": {"model": EMBEDDED, "recipe": "letters", "engine_name": "transformers"},
}
COLUMNS = (
    "depth collection queries BM25 system nDCG@10 difference p Holm against-untrained pairs/s"
).split()


@dataclass(frozen=True)
class Work:
    """The judged queries of a collection: candidates, texts, grades, and what BM25 reaches."""

    collection: str
    run: Run
    texts: Collection
    scorer: Scorer

    @cached_property
    def bm25(self) -> list[float]:
        """What the candidates reach as they are, query by query."""
        return self.measured(self.run)

    def measured(self, run: Run) -> list[float]:
        """Return a run's nDCG@10, query by query."""
        found = self.scorer.evaluate("", run).per_query[MEASURE]
        return [found[query_id] for query_id in self.run.rankings]


@dataclass(frozen=True)
class Row:
    """A system on a collection: its figures by query, and pairs a second."""

    work: Work
    system: str
    figures: Sequence[float]
    speed: float

    def p_against(self, others: Sequence[float]) -> float | None:
        """Return the p-value of a paired t-test; None with fewer than two queries."""
        pairs = zip(self.figures, others, strict=True)
        return t_test([own - other for own, other in pairs])


def work(name: str, data: Path, runs: Path | None, queries: int | None) -> Work:
    """Open a collection; only queries with judgements take part."""
    texts = open_collection(name if name == "demo" else str(data / name))
    judged: dict[str, dict[str, int]] = {}
    for each in texts.qrels():
        judged.setdefault(each.query_id, {})[each.doc_id] = each.relevance
    run = read_run(found_run(name, data, runs))
    run = run.only(islice((each for each in run.rankings if each in judged), queries))
    scorer = Scorer({i: judged[i] for i in run.rankings}, parse_measures([MEASURE]))
    return Work(name, run, texts, scorer)


def measure(work: Work, system: str, depth: int) -> Row:
    """Rerank a collection's run."""
    pairs = sum(min(depth, len(each)) for each in work.run.rankings.values())
    with Reranker(depth=depth, cache=False, **SYSTEMS[system]) as reranker:
        began = time.perf_counter()
        new = reranker.rerank(work.run, work.texts)
        seconds = time.perf_counter() - began
    row = Row(work, system, work.measured(new), pairs / seconds)
    told = f"{fmean(row.figures):.4f}, {row.speed:.1f} pairs/s"
    print(f"{depth} hits of {work.collection}, {system}: {told}", file=sys.stderr, flush=True)
    return row


def main() -> None:
    """Print one line for each depth, collection and system, when a depth is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of collections")
    parser.add_argument("--runs", type=Path, help="folder of NAME.bm25.trec, where there are any")
    parser.add_argument("--depths", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--queries", type=int, help="only so many of each collection")
    parser.add_argument("--only", nargs="+", default=[*MEASURED, *CHOSEN_ON])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["untrained", "default"])
    chosen = parser.parse_args()
    print(f"bfloat16 instructions: {'yes' if cpu_has_bfloat16() else 'no'}")
    print("\t".join(COLUMNS))
    every = [work(name, chosen.data, chosen.runs, chosen.queries) for name in chosen.only]
    for depth in chosen.depths:
        rows = [measure(each, system, depth) for each in every for system in chosen.systems]
        for system in chosen.systems:
            show(depth, [row for row in rows if row.system == system], rows)


def show(depth: int, rows: Sequence[Row], every: Sequence[Row]) -> None:
    """Print the rows of a system at a depth."""
    found = [row.p_against(row.work.bm25) for row in rows]
    for row, p, corrected in zip(rows, found, holm(found), strict=True):
        told = [p, corrected, row.p_against(untrained(row, every))]
        print("\t".join((str(depth), *_cells(row, told))), flush=True)


def untrained(row: Row, every: Sequence[Row]) -> Sequence[float]:
    """Return what the untrained model reaches where a row was measured; else the row's own."""
    same = (each for each in every if each.work is row.work and each.system == "untrained")
    return next(same, row).figures


def found_run(name: str, data: Path, runs: Path | None) -> str:
    """Return the BM25 run of a collection: one of `runs`, or the one that lies beside its texts."""
    named = runs / f"{name}.bm25.trec" if runs else None
    return str(named if named and named.is_file() else data / name / "bm25.trec")


def _cells(row: Row, told: Sequence[float | None]) -> Iterator[str]:
    before, after = fmean(row.work.bm25), fmean(row.figures)
    yield from (row.work.collection, str(len(row.figures)), f"{before:.4f}", row.system)
    yield from (f"{after:.4f}", f"{after - before:+.4f}")
    yield from ("" if each is None else f"{each:.4f}" for each in told)
    yield f"{row.speed:.1f}"


if __name__ == "__main__":
    main()
