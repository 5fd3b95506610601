"""Contrastive fine-tuning of a likelihood, step by step: a small loop on torch and peft."""

import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers import AutoTokenizer, get_scheduler

from rearank_cli.log import note
from rearank_cli.progress import STEPS, progress
from rearank_cli.training import policy
from rearank_cli.training.examples import Example
from rearank_cli.training.folder import STATE
from rearank_cli.training.job import Job
from rearank_cli.training.likelihood import Likelihoods, loss, targets
from rearank_cli.training.precision import in_bf16, on_gpu
from rearank_cli.training.saved import check_saved
from rearank_cli.training.validation import Validator, note_figures

STAGE = "likelihood"
_OPTIMIZER = "optimizer.pt"


class Trainer:
    """A model, its optimiser and its lists; `step` is the number of steps that are done."""

    def __init__(self, job: Job, model: Any, tokenizer: Any) -> None:
        """Prepare the first step."""
        assert job.lists is not None and job.recipe is not None, "there is something to learn"
        self.step = 0
        self._job = job
        self._how = job.settings.likelihood
        self._model = model
        self._tokenizer = tokenizer
        workers = 1 if on_gpu() else torch.get_num_threads()
        # Kept for the whole run: what a thread has freed is used again by itself alone.
        self._pool = ThreadPoolExecutor(workers, "lists", _alone if workers > 1 else None)
        self._scorer = Likelihoods(model, tokenizer, job.recipe)
        self._trained = [each for each in model.parameters() if each.requires_grad]
        rate = self._how.lora_learning_rate if job.lora else self._how.learning_rate
        self._optimizer = torch.optim.AdamW(self._trained, lr=rate, weight_decay=0.0)
        self._schedule: Any = get_scheduler(
            self._how.schedule, self._optimizer, self._how.warmup_steps, self._how.steps
        )

    def lists(self) -> Sequence[Example]:
        """Return the lists of the next step: all in a new random order, then all once more."""
        assert self._job.lists is not None, "checked at the start"
        examples = self._job.lists.examples
        first = self.step * self._how.lists_per_step
        orders: dict[int, list[int]] = {}
        chosen = []
        for number in range(first, first + self._how.lists_per_step):
            turn, place = divmod(number, len(examples))
            if turn not in orders:
                orders[turn] = list(range(len(examples)))
                random.Random(f"{self._job.settings.run.seed}:{turn}").shuffle(orders[turn])
            chosen.append(examples[orders[turn][place]])
        return chosen

    def advance(self) -> dict[str, float]:
        """Do one step and return what it measured."""
        began = time.perf_counter()
        torch.manual_seed(self._job.settings.run.seed + self.step)
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        found = self._learn(self.lists())
        norm = torch.nn.utils.clip_grad_norm_(self._trained, self._how.max_grad_norm)
        rate = self._schedule.get_last_lr()[0]
        self._optimizer.step()
        self._schedule.step()
        self.step += 1
        means = {name: fmean(each[name] for each in found) for name in found[0]}
        seconds = round(time.perf_counter() - began, 3)
        return {**means, "grad_norm": float(norm), "learning_rate": rate, "seconds": seconds}

    def _learn(self, lists: Sequence[Example]) -> list[dict[str, float]]:
        """Set the gradients of a step's lists; return the figures of each.

        On a CPU every core has lists of its own: threads that share the work of one list wait for
        each other at every operation, which costs most of the time as soon as anything else runs.
        Gradients are summed in the order of the lists, whoever was done first; lists of like
        length are scored together, so that little is padded.
        """
        found: list[dict[str, float]] = []
        at_once = self._job.settings.run.micro_batch
        lists = sorted(lists, key=lambda each: max(map(len, each["passages"])))
        parts = [lists[start : start + at_once] for start in range(0, len(lists), at_once)]
        for gradients, figures in self._pool.map(self._part, parts):
            for each, gradient in zip(self._trained, gradients, strict=True):
                each.grad = gradient if each.grad is None else each.grad.add_(gradient)
            found += figures
        return found

    def _part(
        self, lists: Sequence[Example]
    ) -> tuple[Sequence[torch.Tensor], list[dict[str, float]]]:
        """Return the gradients of some lists, and the figures of each."""
        pairs = [
            self._scorer.pair(each["query"], passage)
            for each in lists
            for passage in each["passages"]
        ]
        device = "cuda" if on_gpu() else "cpu"
        half = in_bf16(self._job.settings.run.precision)
        with torch.autocast(device, torch.bfloat16, enabled=half):
            means = self._scorer.means(pairs).split([len(each["passages"]) for each in lists])
        wanted = [targets(each["grades"], each.get("teacher"), self._how) for each in lists]
        losses = [loss(mean, want, self._how) for mean, want in zip(means, wanted, strict=True)]
        total = torch.stack(losses).sum() / self._how.lists_per_step
        gradients = torch.autograd.grad(total, self._trained)
        return gradients, [
            _figures(float(value.detach()), mean.detach(), want)
            for value, mean, want in zip(losses, means, wanted, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write a checkpoint; its state comes last and says that it is whole."""
        policy.save(self._model, self._tokenizer, folder, self._job.name)
        state = {"optimizer": self._optimizer.state_dict(), "schedule": self._schedule.state_dict()}
        torch.save(state, folder / _OPTIMIZER)
        (folder / STATE).write_text(json.dumps({"global_step": self.step}), "utf-8")

    def restore(self, folder: Path) -> None:
        """Go on from a checkpoint whose weights are loaded."""
        state = torch.load(folder / _OPTIMIZER, weights_only=True)
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.step = int(json.loads((folder / STATE).read_text("utf-8"))["global_step"])


def _alone() -> None:
    """Let the operations of this thread be done by it alone."""
    torch.set_num_threads(1)


def _figures(value: float, means: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Return what is noted of a list.

    Beside the loss: whether the passage that should be first is, its mean log-probability, and
    the standard deviation within the list.
    """
    best = wanted.argmax()
    return {
        "loss": value,
        "first": float(best == means.argmax()),
        "loglikelihood": float(means[best]),
        "spread": float(means.std()),
    }


def contrast(job: Job, validator: Validator | None) -> None:
    """Train from the beginning or the last checkpoint; the result is in the run's folder."""
    begun = job.folder.checkpoint(STAGE)
    tokenizer = AutoTokenizer.from_pretrained(job.base)
    model = _model(job, begun)
    trainer = Trainer(job, model, tokenizer)
    if begun:
        trainer.restore(begun)
    job.folder.rewind(STAGE, trainer.step)

    def measure() -> None:
        if validator:
            note_figures(validator.measure(model, tokenizer), job.folder, STAGE, trainer.step)

    if not trainer.step:
        measure()
    _advance(job, trainer, measure)
    policy.save(model, tokenizer, job.folder.path, job.name)
    check_saved(job.folder.path, job.lora)


def _advance(job: Job, trainer: Trainer, measure: Callable[[], None]) -> None:
    """Do the steps that are left; log, measure and keep checkpoints as the settings say."""
    run, steps = job.settings.run, job.settings.likelihood.steps
    with progress(STAGE, STEPS, steps) as advance:
        advance(trainer.step)
        while trainer.step < steps:
            figures = trainer.advance()
            advance(1)
            if trainer.step % run.log_every == 0 or trainer.step == steps:
                job.folder.log({"stage": STAGE, "step": trainer.step, **figures})
            if trainer.step * 20 // steps > (trainer.step - 1) * 20 // steps:
                note(f"{STAGE}: step {trainer.step}/{steps} loss {figures['loss']:.3f}")
            if trainer.step % job.settings.validation.every == 0 or trainer.step == steps:
                measure()
            if trainer.step % run.save_every == 0:
                trainer.save(job.folder.checkpoints(STAGE) / f"checkpoint-{trainer.step}")
                job.folder.prune(STAGE, run.keep)


def _model(job: Job, begun: Path | None) -> Any:
    device = "cuda" if on_gpu() else "cpu"
    if not job.lora:
        return policy.load_base(str(begun or job.base), False).to(device)
    base = policy.load_base(job.base, True, job.settings.run.precision).to(device)
    if device == "cpu":
        # In bfloat16 the backward pass of torch's fused attention takes longer than plain matrices.
        base.set_attn_implementation("eager")
    if begun:
        return policy.from_adapter(base, begun)
    return policy.with_adapter(base, job.settings.lora, job.settings.run.seed)
