"""Windows that begin before the one below is answered, and answers that end early, simulated.

The engine is that of `simulation`, and its answers are orders as models write them, of which it
tells every token. `answers` are orders alone (as with the recipe `rankgpt`), `reasoning` puts as
many words before them that their lengths are those of `simulation`. Tokens of an order are those of
Qwen2.5: each digit, each bracket and each sign is one.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.rerank import virtual
from benchmarks.rerank.schedules import Outcome, driver, work
from benchmarks.rerank.simulation import SimulatedEngine, answer_tokens
from rearank_cli.engines.base import ENOUGH, Heard
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Completion, Request
from rearank_cli.reranking.driver import Settings

SIZES = (1, 4, 16, 43, 100, 200, 1000)
RECIPES = {"answers": "rankgpt", "reasoning": "rearank"}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "waiting": {"ahead": False},
    "ahead": {},
    "ahead, top 10": {"method": Sliding(top=10)},
}
_TOKEN = re.compile(r"</?\w+>| ?[\[>]|\d|\]| ?\w+", re.DOTALL)


class ToldEngine(SimulatedEngine):
    """Tells every token of its orders."""

    def __init__(self, thinks: bool) -> None:
        """Start idle; `thinks` puts reasoning before the orders."""
        super().__init__()
        self._thinks = thinks

    def _pieces(self, request: Request) -> tuple[list[str], int]:
        """Return an answer's tokens, and how many of them are reasoning."""
        prompt = request.prompt
        assert not isinstance(prompt, str), "the recipe is a chat"
        query = int(re.findall(r"number (\d+)", prompt[-1].content)[0])
        window = self._windows[query]
        self._windows[query] += 1
        order = random.Random(f"{query}/{window}").sample(range(1, 21), 20)
        answer = " > ".join(f"[{number}]" for number in order)
        if not self._thinks:
            return _TOKEN.findall(answer), 0
        pieces = ["</think>", *_TOKEN.findall(f"<answer>{answer}</answer>")]
        words = max(answer_tokens(query, window) - len(pieces) - 1, 0)
        return ["<think>", *([" word"] * words), *pieces], words + 1

    async def complete(self, request: Request) -> Completion:
        """Answer after the time that the batch gives this prompt."""
        pieces, _ = self._pieces(request)
        await self.work(len(pieces))
        return Completion("".join(pieces))

    async def stream(self, request: Request, heard: Heard) -> Completion:
        """Do the same and tell of every token of the order."""
        pieces, quiet = self._pieces(request)

        def tell(written: int) -> bool:
            return heard(Completion("".join(pieces[:written]), finish_reason=ENOUGH))

        written = await self.work(len(pieces), tell, quiet)
        ended = "stop" if written == len(pieces) else ENOUGH
        return Completion("".join(pieces[:written]), finish_reason=ended)


def outcome(kind: str, way: str, queries: int) -> Outcome:
    """Return how long a way takes for so many queries."""
    settings = Settings(load_recipe(RECIPES[kind]), Sliding())
    settings = replace(settings, **WAYS[way])
    return virtual.run(driver(ToldEngine(kind == "reasoning"), work(queries), settings))


def main() -> None:
    """Print a Markdown table for each kind of answer."""
    for kind in RECIPES:
        print(f"\nSimulated engine, {kind}, 100 hits: seconds until the last window is answered\n")
        print("| queries | " + " | ".join(WAYS) + " |")
        print("| --: |" + " --: |" * len(WAYS))
        for size in SIZES:
            found = [outcome(kind, way, size).makespan for way in WAYS]
            cells = [f"{each:.2f} ({found[0] / each:.2f} x)" for each in found]
            print(f"| {size} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
