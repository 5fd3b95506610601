"""Windows that begin early on real vLLM: `python -m benchmarks.rerank.early [QUERIES ROUNDS]`.

The embedded model on vLLM's CPU build, recipe `rankgpt`, queries and passages of the demo. All ways
run in one engine, in turns, each round in another order; given are medians. A first round, which
warms the engine up, is not counted. Left alone, this model writes no orders (`[2]` and a sentence);
so a grammar forces an order on it, drawn for each prompt. Rankings and answers are compared between
waiting and beginning early.
"""

import asyncio
import random
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.rerank.streaming import WAYS
from rearank_cli import open_collection
from rearank_cli.engines.base import ENOUGH, EngineSettings
from rearank_cli.engines.models import embedded_model, resolve_model
from rearank_cli.engines.splitting import Asked
from rearank_cli.engines.vllm import VllmEngine
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Request
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Listener, Settings

HITS = 50
PASSAGE_CHARS = 80


class Forced(VllmEngine):
    """vLLM with answers that a prompt is given beforehand; the model still writes every token."""

    def parameters(self, request: Request, asked: Asked) -> Any:
        """Let one text pass."""
        from vllm.sampling_params import StructuredOutputsParams

        order = random.Random(str(request.prompt)).sample(range(1, 21), 20)
        made = super().parameters(request, asked)
        text = " > ".join(rf"\[{number}\]" for number in order)
        made.structured_outputs = StructuredOutputsParams(regex=text)
        return made


class TakenBack(Listener):
    """Counts the asks that were begun in vain."""

    asks = 0

    def taken_back(self, asks: int) -> None:
        """Add them."""
        self.asks += asks


@dataclass
class Turn:
    """One run: its seconds, what came out, answers that ended early, asks taken back."""

    seconds: float
    results: list[Reranked]
    ended: int
    taken_back: int

    @property
    def told(self) -> list[Any]:
        """What must not depend on the way."""
        return [(each.ranking, [trace.answer for trace in each.traces]) for each in self.results]


def work(queries: int) -> list[Candidates]:
    """Return some queries of the demo, each with the first passages of its collection."""
    collection = open_collection("demo")
    found = list(collection.queries().values())[:queries]
    passages = {each.doc_id: each for each in list(collection.documents())[:HITS]}
    return [Candidates(query, tuple(passages), passages) for query in found]


async def turn(engine: Forced, items: list[Candidates], way: str) -> Turn:
    """Rerank in one way."""
    recipe = load_recipe("rankgpt")
    settings = Settings(recipe, Sliding(), depth=HITS, passage_chars=PASSAGE_CHARS)
    settings = replace(settings, **WAYS[way])
    listener = TakenBack()
    begun = time.perf_counter()
    results = [each async for each in Driver(engine, settings, listener).run(items)]
    seconds = time.perf_counter() - begun
    ended = sum(t.finish_reason == ENOUGH for each in results for t in each.traces)
    return Turn(seconds, results, ended, listener.asks)


async def compare(queries: int, rounds: int) -> dict[str, list[Turn]]:
    """Return all turns that count, by way."""
    model = resolve_model(str(embedded_model()))
    # With a cache of prefixes the second way would have less to read.
    engine = Forced(EngineSettings(model, engine_args={"enable_prefix_caching": False}))
    found: dict[str, list[Turn]] = {way: [] for way in WAYS}
    names = list(WAYS)
    try:
        await engine.open()
        for number in range(rounds + 1):
            for way in names[number % 3 :] + names[: number % 3]:
                made = await turn(engine, work(queries), way)
                found[way].append(made)
                whole = "method" not in WAYS[way]  # an answer that is ended is another one
                same = not whole or made.told == found["waiting"][0].told
                note = "" if same else ", other answers"
                print(f"round {number}, {way}: {made.seconds:.1f} s{note}", file=sys.stderr)
    finally:
        await engine.close()
    return {way: turns[1:] for way, turns in found.items()}


def main() -> None:
    """Print a Markdown table."""
    queries, rounds = map(int, sys.argv[1:3] or ("4", "5"))
    found = asyncio.run(compare(queries, rounds))
    waiting = statistics.median(turn.seconds for turn in found["waiting"])
    print("| way | seconds | | answers ended early | taken back |\n| :-- | --: | --: | --: | --: |")
    for way, turns in found.items():
        seconds = [turn.seconds for turn in turns]
        median, ended = statistics.median(seconds), turns[0].ended
        spread = f"{median:.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
        print(f"| {way} | {spread} | {waiting / median:.2f} x | {ended} | {turns[0].taken_back} |")
    pairs = zip(found["waiting"], found["ahead"], strict=True)
    same = sum(one.told == other.told for one, other in pairs)
    print(f"\nRankings and answers of waiting and ahead are equal in {same} of {rounds} rounds.")
    example = found["waiting"][0].results[0].traces[0].answer
    print(f"An answer: {example[:200]}")


if __name__ == "__main__":
    main()
