"""Schedules on a GPU: see `run.sh`, which is the command.

Rows are measured in the order of what one wants to know first; a row that is in the state's file is
not measured again.
"""

import argparse
import asyncio
import itertools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.shapes import write_shape
from benchmarks.gpu.watch import utilisation
from benchmarks.rerank.real import FixedLengths, tiny_model
from benchmarks.rerank.schedules import HITS, SCHEDULES, WINDOWS, work
from benchmarks.rerank.simulation import MEAN_TOKENS, answer_tokens
from rearank_cli.engines.base import EngineSettings
from rearank_cli.engines.models import resolve_model
from rearank_cli.engines.vllm import VllmEngine
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Passage, Query
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.driver import Driver, Settings

FEW, MANY = 43, 200
BOUND = "no dependencies (bound)"
ORDER_TOKENS = 80  # an answer of 20 identifiers


def wanted(args: argparse.Namespace) -> list[tuple[int, str]]:
    """Return the rows, numbers of queries and schedules, in the order of what matters most."""
    first = ("rearank", BOUND)
    return [
        *((args.many, name) for name in first),
        *((args.few, name) for name in SCHEDULES),
        *((args.many, name) for name in SCHEDULES if name not in first),
    ]


def candidates(queries: int, data: Path | None) -> list[Candidates]:
    """Return candidates with passages of a BEIR-style folder, or made-up ones."""
    items = work(queries)
    if data is None:
        return items
    texts = [json.loads(line)["text"] for line in _lines(data / "corpus.jsonl", queries * HITS)]
    asked = [json.loads(line)["text"] for line in _lines(data / "queries.jsonl", queries)]
    passage, question = itertools.cycle(texts), itertools.cycle(asked)
    return [
        Candidates(
            # The number tells the query's answer lengths.
            Query(item.query.query_id, f"{next(question)}, number {number}"),
            item.ranking,
            {name: Passage(name, next(passage)) for name in item.ranking},
        )
        for number, item in enumerate(items)
    ]


def _lines(path: Path, count: int) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return list(itertools.islice(lines, count))


class Kept:
    """Rows in a file, so that a second command goes on where the first stopped."""

    def __init__(self, path: Path) -> None:
        """Read what is there."""
        self._path = path
        self.rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def add(self, name: str, row: dict[str, Any]) -> None:
        """Keep a row; it is on disk before the next begins."""
        self.rows[name] = row
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps(self.rows, indent=2) + "\n")
        written.replace(self._path)
        print(f"{name}: {json.dumps(row)}", flush=True)


def settings(model: Path, **arguments: Any) -> EngineSettings:
    """Return an engine's settings: random weights, nothing kept between schedules."""
    fixed = {"load_format": "dummy", "enable_prefix_caching": False}
    return EngineSettings(resolve_model(str(model)), engine_args=fixed | arguments)


async def schedules(model: Path, kept: Kept, until: float, args: argparse.Namespace) -> None:
    """Measure each schedule once, while there is time."""
    rows = [each for each in wanted(args) if row_name(*each) not in kept.rows]
    if not rows or time.monotonic() > until:
        return
    engine = FixedLengths(settings(model))
    engine.shorter = args.shorter
    try:
        await engine.open()
        engine.lengths = Counter()
        await SCHEDULES[BOUND](engine, candidates(args.few, args.data))  # warms the engine up
        for size, name in rows:
            if time.monotonic() > until:
                return
            kept.add(row_name(size, name), await _row(engine, name, size, args))
    finally:
        await engine.close()


async def _row(
    engine: FixedLengths, name: str, queries: int, args: argparse.Namespace
) -> dict[str, Any]:
    engine.lengths = Counter()
    items = candidates(queries, args.data)
    with utilisation() as busy:
        outcome = await SCHEDULES[name](engine, items)
    written = sum(
        max(1, answer_tokens(query, window) // args.shorter)
        for query in range(queries)
        for window in range(WINDOWS)
    )
    return {
        "seconds": round(outcome.makespan, 2),
        "tokens_per_second": round(written / outcome.makespan),
        "utilisation": round(busy[0], 1) if busy else None,
        "first_query": round(outcome.first / outcome.makespan, 3),
    }


class OrderEngine(VllmEngine):
    """Answers of one length, whatever the model says."""

    def parameters(self, request: Any, asked: Any) -> Any:
        """Ask for the tokens of an order of 20 identifiers."""
        made = super().parameters(request, asked)
        if not request.choices:
            made.ignore_eos = True
            made.min_tokens = made.max_tokens = ORDER_TOKENS
        return made


async def letters(model: Path, kept: Kept, until: float, args: argparse.Namespace) -> None:
    """Compare windows a second of `letters` and of an order that is written out."""
    recipes = {"letters": "letters", "order": "rankgpt"}
    left = {name: of for name, of in recipes.items() if f"small, {name}" not in kept.rows}
    if not left or time.monotonic() > until:
        return
    engine = OrderEngine(settings(model))
    items = candidates(args.few, args.data)
    try:
        await engine.open()
        for name, recipe in left.items():
            for _ in range(2):  # the first warms up
                begun = time.perf_counter()
                await _all(engine, recipe, items)
                seconds = time.perf_counter() - begun
            row = {"seconds": round(seconds, 2)}
            row["windows_per_second"] = round(len(items) * WINDOWS / seconds, 2)
            kept.add(f"small, {name}", row)
    finally:
        await engine.close()


async def _all(engine: VllmEngine, recipe: str, items: Sequence[Candidates]) -> None:
    async for _ in Driver(engine, Settings(load_recipe(recipe), Sliding())).stream(items):
        pass


def row_name(queries: int, schedule: str) -> str:
    """Return what a row is called."""
    return f"{queries} queries, {schedule}"


def table(rows: dict[str, dict[str, Any]], args: argparse.Namespace) -> None:
    """Print what was measured, and what was not."""
    print("\n| what | seconds | of the bound | tokens/s | GPU busy | first query at |")
    print("| :-- | --: | --: | --: | --: | --: |")
    for size, name in wanted(args):
        row = rows.get(row_name(size, name))
        if row is None:
            print(f"| {row_name(size, name)} | not measured | | | | |")
            continue
        bound = rows.get(row_name(size, BOUND))
        share = f"{bound['seconds'] / row['seconds']:.2f}" if bound else ""
        busy = "" if row["utilisation"] is None else f"{row['utilisation']:.0f} %"
        print(
            f"| {row_name(size, name)} | {row['seconds']:.1f} | {share} "
            f"| {row['tokens_per_second']} | {busy} | {row['first_query']:.0%} |"
        )
    print("\n| 0.5B, windows of 20 | seconds | windows/s |\n| :-- | --: | --: |")
    for name in ("letters", "order"):
        row = rows.get(f"small, {name}")
        told = f"{row['seconds']:.1f} | {row['windows_per_second']}" if row else "not measured | "
        print(f"| {name} | {told} |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a tiny model and short answers")
    parser.add_argument("--data", type=Path, help="a BEIR-style folder with passages and queries")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--state", type=Path, default=Path("runs/gpu-bench.json"))
    args = parser.parse_args()
    args.shorter, args.few, args.many = (MEAN_TOKENS // 5, 3, 6) if args.tiny else (1, FEW, MANY)
    return args


def main() -> None:
    """Measure what is not measured yet, until the time is over."""
    args = _arguments()
    until = time.monotonic() + args.minutes * 60
    kept = Kept(args.state)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if args.tiny:
            large = small = tiny_model(folder / "tiny")
        else:
            tokenizer = Path(os.environ["TOKENIZER"])
            large = write_shape(folder / "7B", "7B", tokenizer)
            small = write_shape(folder / "0.5B", "0.5B", tokenizer)
        # The small model takes a minute; it is measured even where the rest takes all the time.
        asyncio.run(letters(small, kept, until, args))
        asyncio.run(schedules(large, kept, until, args))
    table(kept.rows, args)


if __name__ == "__main__":
    main()
