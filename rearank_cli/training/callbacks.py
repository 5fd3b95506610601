"""What is noted and shown while TRL trains: metrics, progress, validation."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from transformers import TrainerCallback

from rearank_cli.log import note
from rearank_cli.progress import STEPS, Advance, progress
from rearank_cli.training.folder import Folder
from rearank_cli.training.validation import Validator, note_figures

# TRL's names for what we note, and ours.
_NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "reward": "reward",
    "reward_std": "reward_std",
    "frac_reward_zero_std": "groups_without_signal",
    "rewards/rank/mean": "rank",
    "rewards/tags/mean": "tags",
    "rewards/listed/mean": "listed",
    "rewards/recall/mean": "recall",
    "format": "format",
    "ndcg": "ndcg",
    "completions/mean_length": "length",
    "completions/clipped_ratio": "cut",
    "kl": "kl",
    "entropy": "entropy",
    "mean_token_accuracy": "token_accuracy",
}


class Metrics(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Writes one line to the run's metrics for every step that is logged."""

    def __init__(self, folder: Folder, stage: str) -> None:
        """Name the stage, `sft` or `grpo`, in every line."""
        self._folder = folder
        self._stage = stage
        self._last = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note what was logged, under our names; the summary at the end of training is not."""
        logs: Mapping[str, float] = kwargs.get("logs") or {}
        values = {name: logs[theirs] for theirs, name in _NAMES.items() if theirs in logs}
        if not state.is_world_process_zero or "loss" not in values:
            return
        now = time.monotonic()
        seconds, self._last = round(now - self._last, 3), now
        record = {"stage": self._stage, "step": state.global_step, **values, "seconds": seconds}
        self._folder.log(record)


class Progress(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Tells every step to whoever shows progress, and says twenty times how good it goes."""

    def __init__(self, stage: str) -> None:
        """Name the stage in front of what is shown."""
        self._stage = stage
        self._shows = ExitStack()
        self._advance: Advance = lambda count: None
        self._figure = ""
        self._twentieth = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to show; steps of an interrupted run count as done."""
        if state.is_world_process_zero:
            self._advance = self._shows.enter_context(progress(self._stage, STEPS, state.max_steps))
            self._advance(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Remember the newest figure."""
        logs = kwargs.get("logs") or {}
        for theirs, name in (("reward", "reward"), ("loss", "loss")):
            if theirs in logs:
                self._figure = f"{name} {logs[theirs]:.3f}"
                break

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move on."""
        self._advance(1)
        twentieth = state.global_step * 20 // max(state.max_steps, 1)
        if state.is_world_process_zero and twentieth > self._twentieth:
            note(
                f"{self._stage}: step {state.global_step}/{state.max_steps} {self._figure}".rstrip()
            )
            self._twentieth = twentieth

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show no more."""
        self._shows.close()


class Validate(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Measures the model on held-out queries before the first step and every `every` steps."""

    def __init__(self, validator: Validator, folder: Folder, stage: str, every: int) -> None:
        """Say whom to ask, where to note it, and how often."""
        self._validator = validator
        self._folder = folder
        self._stage = stage
        self._every = every

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure the model as it is, unless this run goes on."""
        if state.global_step == 0:
            self._measure(state, kwargs)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure the model when its time has come, and after the last step."""
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._measure(state, kwargs)

    def _measure(self, state: Any, kwargs: Mapping[str, Any]) -> None:
        if not state.is_world_process_zero:
            return
        model = kwargs["model"]
        figures = self._validator.measure(
            getattr(model, "module", model), kwargs["processing_class"]
        )
        flawed = f"{figures['flawed']:.0%} of the answers flawed"
        note_figures(figures, self._folder, self._stage, state.global_step, flawed)
