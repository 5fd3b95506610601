"""What every engine needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn: at most `max_tokens` tokens; temperature 0 is greedy."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which model to ask, and how.

    `model` is a folder or hub id for vLLM, or the name that a server gives it. `chat_template`
    are switches of the model's chat template, `engine_args` vLLM's own arguments; `verbose` lets
    the engine's log through.
    """

    model: str
    sampling: Sampling
    chat_template: Mapping[str, Any] = field(default_factory=dict)
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    verbose: bool = False
