"""The same comparison on real vLLM: the CPU build and a tiny Qwen2 with random weights.

Answers end after a number of tokens that is fixed for each window (`ignore_eos`), so that every
schedule gives the engine the same work. All schedules run in one engine, several times, each time
in another order; given are medians. A first round, which warms the engine up, is not counted.
"""

import asyncio
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.rerank.schedules import SCHEDULES, Outcome, work
from benchmarks.rerank.simulation import answer_tokens
from rearank_cli.engines.base import EngineSettings
from rearank_cli.engines.models import embedded_model, resolve_model
from rearank_cli.engines.splitting import Asked
from rearank_cli.engines.vllm import VllmEngine
from rearank_cli.records import Completion, Request

QUERIES = 24
SHORTER = 20  # answers are a twentieth of those of the paper's model, for want of a GPU
ROUNDS = 3
PASSAGE_CHARS = 40
QUERY = re.compile(r"number (\d+)\.")


class FixedLengths(VllmEngine):
    """vLLM with answers of lengths that depend on query and window alone."""

    shorter = SHORTER

    lengths: Counter[int]

    def parameters(self, request: Request, asked: Asked) -> Any:
        """Ask for exactly as many tokens as this query's next window has."""
        prompt = request.prompt
        assert not isinstance(prompt, str), "the recipe is a chat"
        found = QUERY.search(prompt[-1].content)
        assert found, "the query's text ends in its number"
        query = int(found[1])
        window = self.lengths[query]
        self.lengths[query] += 1
        made = super().parameters(request, asked)
        made.ignore_eos = True
        made.min_tokens = made.max_tokens = max(1, answer_tokens(query, window) // self.shorter)
        return made

    async def complete(self, request: Request) -> Completion:
        """Answer, with an order that is always the same."""
        answer = await super().complete(request)
        return Completion("<answer>[1]</answer>", "", "stop", 1, answer.completion_tokens)


def tiny_model(folder: Path) -> Path:
    """Write a Qwen2 of 4 layers with random weights and the embedded model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


async def _compare(model: Path) -> dict[str, Outcome]:
    settings = EngineSettings(
        resolve_model(str(model)),
        engine_args={"enable_prefix_caching": False},  # or the second schedule has less to read
    )
    engine = FixedLengths(settings)
    items = work(QUERIES)
    short = {
        name: each._replace(text=each.text[-PASSAGE_CHARS:])
        for name, each in items[0].passages.items()
    }
    items = [item._replace(passages=short) for item in items]
    found: dict[str, list[Outcome]] = {name: [] for name in SCHEDULES}
    names = list(SCHEDULES)
    try:
        await engine.open()
        for turn in range(ROUNDS + 1):
            for name in names[turn:] + names[:turn]:
                engine.lengths = Counter()
                found[name].append(await SCHEDULES[name](engine, items))
    finally:
        await engine.close()
    return {name: _median(outcomes[1:]) for name, outcomes in found.items()}


def _median(outcomes: list[Outcome]) -> Outcome:
    return sorted(outcomes, key=lambda outcome: outcome.makespan)[len(outcomes) // 2]


def compare() -> tuple[str, dict[str, Outcome]]:
    """Return a title and the outcome of every schedule on real vLLM."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = asyncio.run(_compare(tiny_model(Path(folder))))
    return f"vLLM (CPU build, tiny Qwen2), {QUERIES} queries x 100 hits", outcomes
