"""What every engine needs to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rearank_cli.errors import RearankError

# Engine arguments that say where and how fast vLLM computes, not what; all others may change an
# answer and so belong to the key of a cached one.
OPERATIONAL = frozenset(
    """
    tensor_parallel_size pipeline_parallel_size data_parallel_size distributed_executor_backend
    gpu_memory_utilization max_num_seqs max_num_batched_tokens enforce_eager swap_space
    kv_cache_memory_bytes enable_prefix_caching max_parallel_loading_workers download_dir
    """.split()
)


@dataclass(frozen=True, slots=True)
class Model:
    """A language model: the `name` that the user gave, and what it turned out to mean.

    `location` is a folder or hub id; `revision` changes when the weights do; `reserved` are the
    control tokens of its tokenizer. A server tells nothing but the name.
    """

    name: str
    location: str = ""
    revision: str = ""
    reserved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn: at most `max_tokens` tokens; temperature 0 is greedy."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `RearankError` for numbers that cannot work."""
        if self.max_tokens < 1:
            raise RearankError(f"expected --max-tokens to be at least 1, found {self.max_tokens}")
        if not self.temperature >= 0:
            raise RearankError(f"expected --temperature to be 0 or more, found {self.temperature}")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which model to ask, and how.

    `chat_template` are switches of the model's chat template, `adapter` is a LoRA adapter,
    `engine_args` are vLLM's own arguments; `verbose` lets the engine's log through, and `tell`
    hears what a starting engine is doing.
    """

    model: Model
    sampling: Sampling
    chat_template: Mapping[str, Any] = field(default_factory=dict)
    adapter: Model | None = None
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    verbose: bool = False
    tell: Callable[[str], None] = lambda text: None

    def identity(self) -> dict[str, Any]:
        """Return everything but the prompt that determines an answer, as a cache key."""
        return {
            "model": self.model.name,
            "revision": self.model.revision,
            "adapter": self.adapter.revision if self.adapter else "",
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed if self.sampling.temperature else 0,
            "chat_template": dict(self.chat_template),
            "engine_args": {
                name: value for name, value in self.engine_args.items() if name not in OPERATIONAL
            },
        }
