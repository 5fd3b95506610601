"""The settings of a training run: a TOML file in which every value says where it comes from."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.training.changes import checked, read_change, read_changes, replaced

PRECISIONS = ("auto", "bf16", "float32")


@dataclass(frozen=True, slots=True)
class Grpo:
    """How the policy is trained; see defaults.toml."""

    steps: int
    prompts_per_step: int
    generations: int
    learning_rate: float
    lora_learning_rate: float
    beta: float
    loss: str
    scale_rewards: str
    kl_times_ratio: bool
    sampler_correction: bool
    temperature: float
    max_answer_tokens: int
    warmup_steps: int
    schedule: str
    max_grad_norm: float


@dataclass(frozen=True, slots=True)
class Reward:
    """The weights of the reward's parts, and where its rank part is clipped."""

    rank: float
    tags: float
    listed: float
    recall: float
    floor: float
    keep_ideal: bool


@dataclass(frozen=True, slots=True)
class Lora:
    """The adapter; rank 0 trains all weights instead."""

    rank: int
    alpha: int
    dropout: float
    modules: str
    first_layer: int


@dataclass(frozen=True, slots=True)
class Sft:
    """The warm-up by imitation."""

    epochs: float
    learning_rate: float
    lora_learning_rate: float
    batch: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How a likelihood is trained on lists; see defaults.toml."""

    steps: int
    lists_per_step: int
    scale: float
    teacher: float
    temperature: float
    imitation: float
    learning_rate: float
    lora_learning_rate: float
    warmup_steps: int
    schedule: str
    max_grad_norm: float


@dataclass(frozen=True, slots=True)
class Run:
    """What changes speed, memory and logging."""

    micro_batch: int
    save_every: int
    keep: int
    log_every: int
    precision: str
    gradient_checkpointing: bool
    vllm_memory: float
    vllm_tensor_parallel: int
    seed: int


@dataclass(frozen=True, slots=True)
class Validation:
    """How held-out queries are reranked during training."""

    every: int
    depth: int
    window: int
    stride: int
    max_answer_tokens: int
    batch: int


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """All of them, and the TOML text that says the same with its sources."""

    grpo: Grpo
    reward: Reward
    lora: Lora
    sft: Sft
    likelihood: Likelihood
    run: Run
    validation: Validation
    text: str


_SECTIONS = {
    "grpo": Grpo,
    "reward": Reward,
    "lora": Lora,
    "sft": Sft,
    "likelihood": Likelihood,
    "run": Run,
    "validation": Validation,
}
_POSITIVE = {
    "grpo": ("steps", "prompts_per_step", "learning_rate", "lora_learning_rate", "temperature"),
    "sft": ("epochs", "learning_rate", "lora_learning_rate", "batch", "max_tokens"),
    "likelihood": (
        "steps",
        "lists_per_step",
        "scale",
        "temperature",
        "learning_rate",
        "lora_learning_rate",
    ),
    "run": ("micro_batch", "save_every", "keep", "log_every", "vllm_tensor_parallel"),
    "validation": ("every", "depth", "window", "stride", "max_answer_tokens", "batch"),
}


def load_settings(config: str | None = None, changes: Sequence[str] = ()) -> TrainSettings:
    """Return the defaults, changed by a TOML file and then by `section.key=value` texts.

    Raises `RearankError` for a file that is no such TOML, an unknown name, or a value of the
    wrong kind.
    """
    text = files("rearank_cli").joinpath("training", "defaults.toml").read_text("utf-8")
    values: dict[str, dict[str, Any]] = tomllib.loads(text)
    wanted = list(read_changes(config)) if config else []
    wanted += map(read_change, changes)
    for change in wanted:
        _, section, key, _ = change
        values[section][key] = checked(change, values)
        text = replaced(text, section, key, values[section][key])
    for section, keys in _POSITIVE.items():
        for key in keys:
            if values[section][key] <= 0:
                raise RearankError(
                    f"{section}.{key}: expected more than 0, found {values[section][key]}"
                )
    if values["grpo"]["generations"] < 2:
        raise RearankError(
            "grpo.generations: expected at least 2, since an answer is judged within its group"
        )
    if values["run"]["precision"] not in PRECISIONS:
        raise RearankError(
            f"run.precision: expected one of {', '.join(PRECISIONS)}, "
            f"found {values['run']['precision']!r}"
        )
    parts = {name: kind(**values[name]) for name, kind in _SECTIONS.items()}
    return TrainSettings(**parts, text=text)


def accumulation(settings: TrainSettings, processes: int) -> int:
    """Return how many micro batches make a step, so that every step trains on fresh answers.

    A step has prompts_per_step * generations answers. Raises `RearankError` when they cannot be
    shared out evenly.
    """
    answers = settings.grpo.prompts_per_step * settings.grpo.generations
    at_once = settings.run.micro_batch * processes
    if answers % at_once:
        raise RearankError(
            f"a step has {answers} answers (grpo.prompts_per_step * grpo.generations), which "
            f"cannot be shared out to {at_once} at once (run.micro_batch * processes)",
            hint="choose a run.micro_batch that divides it",
        )
    return answers // at_once
