"""Log-probabilities of one model in three places: do they agree, and is the order the same?

`python -m benchmarks.logprobs.run [float32] [bfloat16]`: the embedded model and a tiny Qwen2 with
random weights, on transformers, on vLLM in this process, and on vLLM's own server, which is started
and ended here. Asked are the likelihoods of the demo's queries behind its passages (BM25's first 10
for each of 12 queries) and the letters of their windows; of these a server tells those that are
among the 20 likeliest tokens. Given are the largest difference of one
token's log-probability and the mean, and how many of the queries get one and the same order.
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean

from benchmarks.rerank.real import tiny_model
from benchmarks.vllm_server import vllm_server
from rearank_cli import open_collection, read_run
from rearank_cli.engines.base import Engine, EngineSettings, Model
from rearank_cli.engines.models import embedded_model, resolve_model
from rearank_cli.engines.openai import OpenAIEngine
from rearank_cli.engines.transformers import TransformersEngine
from rearank_cli.engines.vllm import VllmEngine
from rearank_cli.methods import Ask
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Completion, Request
from rearank_cli.reranking.asking import request_for

RUN = Path(__file__).parents[2] / "tests" / "unchanged" / "demo.bm25.trec"
QUERIES, HITS, CONTEXT = 12, 10, 4096

Asked = Mapping[tuple[str, str], Request]
"""Requests by recipe and query, or by recipe and query with the document."""


def requests() -> dict[tuple[str, str], Request]:
    """Return the likelihoods of queries after passages, and the letters of windows."""
    demo, run = open_collection("demo"), read_run(str(RUN))
    queries, made = demo.queries(), {}
    for query_id, ranking in list(run.rankings.items())[:QUERIES]:
        hits = ranking[:HITS]
        texts = demo.passages(set(hits))
        shown = [texts[doc_id].text[:400] for doc_id in hits]
        query = queries[query_id].text
        recipe = load_recipe("letters")
        ask = Ask(hits)
        made["letters", query_id] = request_for(recipe, query, shown, recipe.sampling, ask)
        recipe = load_recipe("likelihood")
        for doc_id, text in zip(hits, shown, strict=True):
            ask = Ask((doc_id,))
            request = request_for(recipe, query, [text], recipe.sampling, ask)
            made["likelihood", f"{query_id} {doc_id}"] = request
    return made


@dataclass
class Told:
    """What one engine tells: log-probabilities by request, each a list or by name."""

    tokens: dict[tuple[str, str], list[float]]
    choices: dict[tuple[str, str], dict[str, float]]

    def orders(self) -> dict[tuple[str, str], list[str]]:
        """Return the order of the passages of every query, by recipe."""
        found = {name: sorted(told, key=lambda n: -told[n]) for name, told in self.choices.items()}
        likely: dict[str, dict[str, float]] = {}
        for (_, name), scores in self.tokens.items():
            query_id, doc_id = name.split()
            likely.setdefault(query_id, {})[doc_id] = mean(scores)
        for query_id, by_doc in likely.items():
            found["likelihood", query_id] = sorted(by_doc, key=lambda doc: -by_doc[doc])
        return found


def ask(engine: Engine, asked: Asked) -> Told:
    """Open an engine, ask everything at once, close it."""

    async def all_at_once() -> list[Completion]:
        await engine.open()
        try:
            return await asyncio.gather(*map(engine.complete, asked.values()))
        finally:
            await engine.close()

    told = Told({}, {})
    for name, each in zip(asked, asyncio.run(all_at_once()), strict=True):
        if each.tokens:
            told.tokens[name] = [token.logprob for token in each.tokens]
        else:
            told.choices[name] = dict(each.choices)
    return told


def told_by_all(model: Path, dtype: str, asked: Asked) -> dict[str, Told]:
    """Return what the three engines tell of a model in a precision."""
    arguments = {"dtype": dtype, "max_model_len": CONTEXT}
    settings = EngineSettings(resolve_model(str(model)), engine_args=arguments)
    found = {"transformers": ask(TransformersEngine(settings), asked)}
    options = ("--served-model-name", "served", "--dtype", dtype, "--max-model-len", f"{CONTEXT}")
    with vllm_server(model, *options, space=2) as url:
        remote = EngineSettings(Model("served"))
        found["server"] = ask(OpenAIEngine(remote, [f"{url}/v1"]), asked)
    found["vllm"] = ask(VllmEngine(settings), asked)
    return found


def differences(one: Told, other: Told) -> tuple[list[float], list[float]]:
    """Return the differences of all tokens of continuations, and of all letters told by both."""
    tokens = [
        abs(a - b)
        for name, scores in one.tokens.items()
        for a, b in zip(scores, other.tokens[name], strict=True)
    ]
    letters = [
        abs(score - other.choices[name][letter])
        for name, scores in one.choices.items()
        for letter, score in scores.items()
        if letter in other.choices[name]
    ]
    return tokens, letters


def main(dtypes: Sequence[str]) -> None:
    """Print a table for every precision."""
    asked = requests()
    with tempfile.TemporaryDirectory() as folder:
        models = {"smollm2-135m": embedded_model(), "tiny Qwen2": tiny_model(Path(folder))}
        for dtype in dtypes:
            for name, model in models.items():
                told = told_by_all(model, dtype, asked)
                for (a, one), (b, other) in combinations(told.items(), 2):
                    tokens, letters = differences(one, other)
                    first, second = one.orders(), other.orders()
                    same = {
                        kind: sum(first[key] == second[key] for key in first if key[0] == kind)
                        for kind in ("likelihood", "letters")
                    }
                    print(
                        f"{dtype}, {name}, {a} and {b}: {len(tokens)} tokens "
                        f"max {max(tokens):.5f} mean {mean(tokens):.5f}; {len(letters)} letters "
                        f"max {max(letters, default=0):.5f} mean {mean(letters or [0]):.5f}; "
                        f"same order {same} of {QUERIES}",
                        flush=True,
                    )


if __name__ == "__main__":
    main(sys.argv[1:] or ["float32", "bfloat16"])
