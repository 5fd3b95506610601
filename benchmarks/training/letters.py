"""Self-distillation: what a model finds likely, as the label of one-token windows.

`python -m benchmarks.training.letters LISTS FOLDER` reads lists of `rearank augment --objective
likelihood`. The embedded model under its adapter scores each list's passages by the likelihood of
the query; then the model learns, under an adapter of its own, to put that order's shares on the
letters of the same passages, shuffled into one window of the recipe `letters`. Rerank with
`--recipe letters --window 7 --passage-chars 240 --adapter FOLDER`.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoTokenizer, get_scheduler

from rearank_cli.engines.adapters import packaged
from rearank_cli.engines.models import resolve_model
from rearank_cli.engines.splitting import read_request
from rearank_cli.methods.base import Ask
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.recipes.text import Cleaner
from rearank_cli.reranking.asking import request_for
from rearank_cli.training import policy
from rearank_cli.training.data import read_contrasts
from rearank_cli.training.examples import Example
from rearank_cli.training.likelihood import Likelihoods
from rearank_cli.training.settings import Lora

PASSAGE_CHARS = 240
WINDOWS = 8
WARMUP = 5
LORA = Lora(rank=16, alpha=32, dropout=0.0, modules="all-linear", first_layer=8)


@dataclass(frozen=True)
class Window:
    """A prompt's tokens, those of its letters, and the share that each letter should have."""

    ids: Sequence[int]
    letters: Sequence[int]
    wanted: torch.Tensor


def shares(scorer: Likelihoods, each: Example, scale: float) -> list[float]:
    """Return the softmax of `scale` times the mean log-probabilities after a list's passages."""
    pairs = [scorer.pair(each["query"], passage) for passage in each["passages"]]
    with torch.inference_mode():
        found: list[float] = (scale * scorer.means(pairs)).softmax(0).tolist()
    return found


def window(tokenizer: Any, recipe: Recipe, each: Example, wanted: Sequence[float]) -> Window:
    """Return a list as a window, its passages in an order of its own."""
    order = list(range(len(wanted)))
    random.Random(each["query"]).shuffle(order)
    cleaner = Cleaner(tuple(tokenizer.get_added_vocab()))
    shown = [cleaner.clean(each["passages"][number], PASSAGE_CHARS) for number in order]
    ask = Ask(tuple(map(str, order)))
    asked = read_request(tokenizer, request_for(recipe, each["query"], shown, recipe.sampling, ask))
    return Window(asked.prompt, list(asked.choices.values()), torch.tensor(wanted)[order])


def learn(model: Any, each: Window) -> tuple[float, float]:
    """Add a window's gradients; return its loss, and 1 where the best passage is named."""
    logits = model(input_ids=torch.tensor([each.ids]), logits_to_keep=1).logits[0, -1].float()
    scores = logits[list(each.letters)].log_softmax(0)
    loss = -(each.wanted * scores).sum()
    (loss / WINDOWS).backward()
    return float(loss.detach()), float(scores.argmax() == each.wanted.argmax())


def main() -> None:
    """Label, train, and save the adapter; one line of figures a step on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lists")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--scale", type=float, default=8.0)
    chosen = parser.parse_args()
    location = resolve_model(chosen.model).location
    tokenizer = AutoTokenizer.from_pretrained(location)
    judge = load_recipe("likelihood")
    adapter, _ = packaged(judge.adapter)
    judging = PeftModel.from_pretrained(policy.load_base(location, True), adapter.location)
    scorer = Likelihoods(judging.merge_and_unload(), tokenizer, judge)
    recipe = load_recipe("letters")
    examples = read_contrasts(chosen.lists).examples[: chosen.steps * WINDOWS]
    windows = [
        window(tokenizer, recipe, each, shares(scorer, each, chosen.scale)) for each in examples
    ]
    print(f"{len(windows)} windows are labelled", flush=True)
    base = policy.load_base(location, True)
    train(policy.with_adapter(base, LORA, 0), windows, chosen.steps, chosen.rate, chosen.folder)


def train(model: Any, windows: Sequence[Window], steps: int, rate: float, folder: Path) -> None:
    """Do the steps and write the adapter."""
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    schedule: Any = get_scheduler("cosine", optimizer, WARMUP, steps)
    for step in range(steps):
        began = time.perf_counter()
        part = windows[step * WINDOWS : (step + 1) * WINDOWS]
        found = [learn(model, each) for each in part]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        loss, first = (sum(each) / len(part) for each in zip(*found, strict=True))
        took = time.perf_counter() - began
        figures = {"step": step + 1, "loss": round(loss, 4), "first": first, "seconds": took}
        print(json.dumps(figures), flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
