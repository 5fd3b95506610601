"""What every engine needs to know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from rearank_cli.engines.revision import legacy_revision
from rearank_cli.records import Completion, Request

Ability = Literal["chat", "text", "choices", "continuation", "prefill", "grammar", "relevance"]
"""What a request may ask for: messages, plain text, log-probabilities of a first token, or of a
text behind the prompt, an answer that goes on from a given beginning, or one of a given form, and
how relevant a passage is to a query, without words around them."""
WRITING: frozenset[Ability] = frozenset(get_args(Ability)) - {"relevance"}
"""What a model that writes can do at most."""

# Engine arguments that say where and how fast vLLM computes, not what; all others may change an
# answer and so belong to the key of a cached one.
OPERATIONAL = frozenset(
    """
    tensor_parallel_size pipeline_parallel_size data_parallel_size distributed_executor_backend
    gpu_memory_utilization max_num_seqs max_num_batched_tokens enforce_eager
    kv_cache_memory_bytes enable_prefix_caching max_parallel_loading_workers download_dir
    max_model_len max_lora_rank
    """.split()
)
# Those of them that earlier versions had in the key.
_ONCE_IN_THE_KEY = frozenset(("max_model_len", "max_lora_rank"))

# How an answer ends when the model ends it, or its length does. Any other end leaves a fragment:
# vLLM ends requests with `abort` when it shuts down, for example.
ANSWERED = frozenset(("stop", "length"))
# How an answer ends that whoever heard it had enough of.
ENOUGH = "enough"

Heard = Callable[[Completion], bool]
"""Hears an answer as far as it is written; returns whether that is enough of it, and then it ends
there. An answer that is tried again begins anew."""


@dataclass(frozen=True, slots=True)
class Model:
    """A language model: the `name` that the user gave, and what it turned out to mean.

    `location` is a folder or hub id, empty for a model on a server; `revision` changes when the
    weights do, or is what the server tells of the model; `reserved` are the control tokens of its
    tokenizer.
    """

    name: str
    location: str = ""
    revision: str = ""
    reserved: tuple[str, ...] = ()


class Engine(Protocol):
    """A language model. Opened once, asked many times at once, closed once.

    `reserved` are the strings that the model's tokenizer reads as control tokens; text that is
    data must not contain them. `capacity` is how many requests in flight keep the engine full, all
    its replicas together, and `kv_tokens` how many tokens of prompts and answers its cache of keys
    and values holds (0 where that is not known). Both may change when the engine has been opened.
    `abilities` say what it can do; `most_choices` is of how many strings it can tell the
    log-probabilities as a first token (0: any number). One that can tell an answer while it is
    written has `stream` too (see `Streaming`).

    >>> from rearank_cli import Reranker, open_collection, read_run
    >>> from rearank_cli.records import Completion
    >>> class Backwards:
    ...     reserved, abilities = (), frozenset(["chat"])
    ...     capacity, kv_tokens, most_choices = 8, 0, 0
    ...     def identity(self): return {"model": "backwards"}
    ...     async def open(self): pass
    ...     async def close(self): pass
    ...     async def complete(self, request): return Completion("<answer>[3] > [2] > [1]</answer>")
    >>> with Reranker(engine=Backwards(), depth=3) as reranker:
    ...     new = reranker.rerank(read_run("bm25.trec"), open_collection("demo"))
    >>> new.rankings["q01"][:3]
    ('phys-003', 'phys-002', 'phys-001')
    """

    @property
    def reserved(self) -> Sequence[str]: ...  # noqa: D102  described above

    @property
    def capacity(self) -> int: ...  # noqa: D102  described above

    @property
    def kv_tokens(self) -> int: ...  # noqa: D102  described above

    @property
    def abilities(self) -> frozenset[Ability]: ...  # noqa: D102  described above

    @property
    def most_choices(self) -> int: ...  # noqa: D102  described above

    def identity(self) -> Mapping[str, Any]:
        """Return what its answers depend on beside the request, for the key of a stored answer."""
        ...

    async def open(self) -> None:
        """Get ready; raise `EngineError` when that fails."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raise `PromptTooLong` or `EngineError`."""
        ...

    async def close(self) -> None:
        """Free everything; safe after a failed `open` and when called twice."""


@runtime_checkable
class Streaming(Protocol):
    """What an engine has beside the rest if it can tell an answer while it is written."""

    async def stream(self, request: Request, heard: Heard) -> Completion:
        """Answer one request as `complete` does, and tell `heard` of it meanwhile.

        The completion is the same, but for one that was heard enough of: its `finish_reason` is
        `enough`.
        """
        ...


def has_room(engine: Engine) -> bool:
    """Tell whether an engine may be asked for what may not be needed.

    One that others ask too says so itself, as `room`.
    """
    return bool(getattr(engine, "room", True))


async def asked(engine: Engine, request: Request, heard: Heard | None) -> Completion:
    """Return an engine's answer, heard while it is written where there is an ear and a tongue."""
    if heard is None or not isinstance(engine, Streaming):
        return await engine.complete(request)
    return await engine.stream(request, heard)


class EngineLog(Protocol):
    """What becomes of the messages that an engine's libraries write to stdout and stderr.

    `shown` says whether the user wants to see them as they come.
    """

    @property
    def shown(self) -> bool: ...  # noqa: D102  described above

    def begin(self) -> None:
        """Get ready; called when an engine opens, before its libraries are imported."""

    def advice(self) -> str:
        """Return where to read more after a failure."""
        ...

    def forget(self) -> None:
        """Throw the messages away, for the engine ended well; safe without `begin`."""


class LeftAlone:
    """The `EngineLog` of a process whose output is not ours to direct: they go where they go."""

    shown = False

    def begin(self) -> None:
        """Do nothing."""

    def advice(self) -> str:
        """Say where messages go when nobody directs them."""
        return "the engine's own messages are on stdout and stderr of this process"

    def forget(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which model to ask, and how.

    `adapter` is a LoRA adapter, `engine_args` are vLLM's own arguments, and `server_args` are
    fields of every request to a server (None leaves a field out); `log` takes the messages of the
    engine's libraries, and `tell` hears what a starting engine is doing. `engine` is the name of
    an engine whose answers are not vLLM's to the last bit.
    """

    model: Model
    adapter: Model | None = None
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    server_args: Mapping[str, Any] = field(default_factory=dict)
    log: EngineLog = field(default_factory=LeftAlone)
    tell: Callable[[str], None] = lambda text: None
    engine: str = ""

    def identity(self) -> dict[str, Any]:
        """Return what answers depend on beside the request, for the key of a stored answer."""
        return {
            "model": self.model.name,
            "revision": self.model.revision,
            "adapter": self.adapter.revision if self.adapter else "",
            "engine_args": {
                name: value for name, value in self.engine_args.items() if name not in OPERATIONAL
            },
            **({"engine": self.engine} if self.engine else {}),
            **({"server_args": dict(self.server_args)} if self.server_args else {}),
        }

    def legacy_identity(self) -> dict[str, Any]:
        """Return the identity that earlier versions gave a model in this process.

        Their answers are right still; for servers they are not, since sampling was left to them.
        """
        operational = OPERATIONAL - _ONCE_IN_THE_KEY
        return {
            "model": self.model.name,
            "revision": legacy_revision(self.model.location) or self.model.revision,
            "adapter": legacy_revision(self.adapter.location) if self.adapter else "",
            "engine_args": {
                name: value for name, value in self.engine_args.items() if name not in operational
            },
        }
