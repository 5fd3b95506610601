"""How good and how fast the embedded model is on this machine's CPU.

`python -m benchmarks.small.run` reranks BM25's first hits of several collections with the default
of `rearank rerank`, and prints a table: nDCG@10 of BM25 and of the reranked run, the difference
with the p-value of a paired t-test, pairs, seconds, pairs a second. What the cache knows would
take no time, so the cache is off.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from rearank_cli.collection.opening import open_collection
from rearank_cli.engines.machine import cpu_has_bfloat16
from rearank_cli.evaluation.measures import parse_measures
from rearank_cli.evaluation.scoring import Scorer
from rearank_cli.evaluation.significance import t_test
from rearank_cli.formats.trec import read_run
from rearank_cli.records import Run
from rearank_cli.reranking.reranker import Reranker

MEASURE = "nDCG@10"
MEASURED = ("demo", "cacm", "dl19")
COLUMNS = "collection depth queries BM25 likelihood difference p pairs seconds pairs/s".split()
# On these, and cf, the recipe's numbers were chosen.
CHOSEN_ON = ("cisi", "med", "nfcorpus", "vaswani")


@dataclass(frozen=True)
class Row:
    """One collection at one depth; `p` is that of the paired t-test against BM25."""

    collection: str
    depth: int
    queries: int
    bm25: float
    reranked: float
    p: float | None
    pairs: int
    seconds: float


def measure(name: str, source: str, run: Run, depth: int) -> Row:
    """Rerank a run and compare; only queries with judgements take part."""
    texts = open_collection(source)
    judged: dict[str, dict[str, int]] = {}
    for each in texts.qrels():
        judged.setdefault(each.query_id, {})[each.doc_id] = each.relevance
    ids = [each for each in run.rankings if each in judged]
    kept = run.only(ids)
    with Reranker(depth=depth, cache=False) as reranker:
        began = time.perf_counter()
        new = reranker.rerank(kept, texts)
        seconds = time.perf_counter() - began
    scorer = Scorer({i: judged[i] for i in ids}, parse_measures([MEASURE]))
    before = [scorer.evaluate("", kept).per_query[MEASURE][i] for i in ids]
    after = [scorer.evaluate("", new).per_query[MEASURE][i] for i in ids]
    p = t_test([new - old for new, old in zip(after, before, strict=True)])
    pairs = sum(min(depth, len(kept.rankings[i])) for i in ids)
    return Row(name, depth, len(ids), fmean(before), fmean(after), p, pairs, seconds)


def main() -> None:
    """Print one line for each collection and depth, as they are done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of collections")
    parser.add_argument("--runs", type=Path, help="folder of NAME.bm25.trec, where there are any")
    parser.add_argument("--depths", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--queries", type=int, help="only so many of each collection")
    parser.add_argument("--only", nargs="+", default=[*MEASURED, *CHOSEN_ON])
    chosen = parser.parse_args()
    print(f"bfloat16 instructions: {'yes' if cpu_has_bfloat16() else 'no'}")
    print("\t".join(COLUMNS))
    for depth in chosen.depths:
        for name in chosen.only:
            source = name if name == "demo" else str(chosen.data / name)
            run = read_run(found_run(name, chosen.data, chosen.runs))
            show(measure(name, source, first(run, chosen.queries), depth))


def found_run(name: str, data: Path, runs: Path | None) -> str:
    """Return the BM25 run of a collection: one of `runs`, or the one that lies beside its texts."""
    named = runs / f"{name}.bm25.trec" if runs else None
    return str(named if named and named.is_file() else data / name / "bm25.trec")


def first(run: Run, queries: int | None) -> Run:
    """Return the run of the first queries."""
    return run.only(islice(run.rankings, queries))


def show(row: Row) -> None:
    """Print a row of the table."""
    print("\t".join(_cells(row)), flush=True)


def _cells(row: Row) -> Iterator[str]:
    yield from (row.collection, str(row.depth), str(row.queries))
    yield from (f"{row.bm25:.4f}", f"{row.reranked:.4f}", f"{row.reranked - row.bm25:+.4f}")
    yield from ("" if row.p is None else f"{row.p:.3f}", str(row.pairs), f"{row.seconds:.0f}")
    yield f"{row.pairs / row.seconds:.1f}"


if __name__ == "__main__":
    main()
