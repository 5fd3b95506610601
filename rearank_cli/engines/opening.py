"""From options to an engine that is not yet open, after all checks that need nothing heavy."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rearank_cli.engines.base import Engine, EngineSettings, Model
from rearank_cli.engines.cached import CachedEngine
from rearank_cli.engines.cluster import Cluster
from rearank_cli.engines.dry import DryEngine
from rearank_cli.engines.machine import CPU_BUILD, Machine, cpu_has_bfloat16, this_machine
from rearank_cli.engines.models import quantised
from rearank_cli.engines.store import Store
from rearank_cli.errors import RearankError


@dataclass(frozen=True, slots=True)
class Where:
    """Where the model runs: on servers, on a cluster, or in this process when there is neither.

    Those of `base_urls` have chat completions; those of `rerank_urls` score pairs of query and
    passage.

    `timeout` and `deadline` are seconds for one request and for one prompt with all its tries;
    `cache` says whether finished answers are kept and used again. `engine` is one of `ENGINES`;
    by default servers are asked as OpenAI's are, and vLLM runs what runs in this process.
    """

    base_urls: Sequence[str] = field(default_factory=tuple)
    rerank_urls: Sequence[str] = field(default_factory=tuple)
    timeout: float = 600.0
    deadline: float = 1800.0
    cache: bool = True
    engine: str = ""
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        """Raise `RearankError` for an engine that there is not, or not there."""
        if self.engine and self.engine not in ENGINES:
            raise RearankError(
                f"`engine_name`: expected one of {', '.join(ENGINES)}, found {self.engine!r}"
            )
        if self.rerank_urls and self.base_urls:
            raise RearankError(
                "`rerank_urls` and `base_urls`: the model is on the ones or on the others",
                hint="leave out one of them (or REARANK_BASE_URL)",
            )
        if self.cluster and self.served:
            raise RearankError(
                "`ray`: the model is on servers already",
                hint="leave out `ray`, or `base_urls` (or REARANK_BASE_URL) and `rerank_urls`",
            )
        if bool(self.cluster) != (self.name == "ray"):
            raise RearankError(
                f"`engine_name` {self.engine}: "
                + ("does not run on a cluster" if self.cluster else "needs a cluster"),
                hint="leave out one of `engine_name` and `ray`" if self.cluster else "`ray=auto`",
            )
        for urls, parameter, engine in (
            (self.base_urls, "base_urls", "openai"),
            (self.rerank_urls, "rerank_urls", "relevance"),
        ):
            if bool(urls) != (self.name == engine):
                raise RearankError(
                    f"`engine_name` {self.engine}: "
                    + ("does not ask servers" if urls else "needs servers to ask"),
                    hint=f"leave out one of `engine_name` and `{parameter}`"
                    if urls
                    else f"`{parameter}` names them",
                )

    @property
    def served(self) -> Sequence[str]:
        """The servers, of whichever kind."""
        return self.base_urls or self.rerank_urls

    @property
    def name(self) -> str:
        """The engine's name in `ENGINES`."""
        if self.rerank_urls:
            return self.engine or "relevance"
        default = "openai" if self.base_urls else "ray" if self.cluster else "vllm"
        return self.engine or default


def make_engine(settings: EngineSettings, where: Where) -> Engine:
    """Return the engine for these settings; raise `RearankError` when the cache is unusable."""
    store = Store() if where.cache else None
    settings = identified(settings, where, store)
    engine = ENGINES[where.name](settings, where)
    return CachedEngine(engine, store, _legacy(settings, where)) if store else engine


def _openai(settings: EngineSettings, where: Where) -> Engine:
    from rearank_cli.engines.openai import OpenAIEngine

    return OpenAIEngine(settings, where.base_urls, where.timeout, where.deadline)


def _relevance(settings: EngineSettings, where: Where) -> Engine:
    from rearank_cli.engines.relevance import RelevanceEngine

    return RelevanceEngine(settings, where.rerank_urls, where.timeout, where.deadline)


def _vllm(settings: EngineSettings, where: Where) -> Engine:
    from rearank_cli.engines.vllm import VllmEngine

    return VllmEngine(settings)


def _transformers(settings: EngineSettings, where: Where) -> Engine:
    from rearank_cli.engines.transformers import TransformersEngine

    return TransformersEngine(settings)


def _ray(settings: EngineSettings, where: Where) -> Engine:
    from rearank_cli.engines.ray import RayEngine

    assert where.cluster is not None, "checked when it was said where"
    return RayEngine(settings, where.cluster, where.deadline)


ENGINES: Mapping[str, Callable[[EngineSettings, Where], Engine]] = {
    "openai": _openai,
    "relevance": _relevance,
    "vllm": _vllm,
    "transformers": _transformers,
    "ray": _ray,
}
"""What a model can run on, by name; nothing heavy is imported before one is made."""


def make_dry_engine(settings: EngineSettings, where: Where) -> DryEngine:
    """Return the engine that only counts, with the cache and the abilities of the real one."""
    store = Store() if where.cache else None
    settings = identified(settings, where, store)
    real = ENGINES[where.name](settings, where)  # never opened, it imports and asks nothing
    return DryEngine(settings, store, _legacy(settings, where), real)


def identified(settings: EngineSettings, where: Where, store: Store | None) -> EngineSettings:
    """Return the settings with what the servers tell of their model as its revision.

    So that servers which share a name for different models do not share answers. A model in this
    process is left as it is, but for the engine's name where that is not vLLM, and so is any model
    when nothing is kept.
    """
    if where.name == "transformers":
        return replace(settings, engine=where.name)
    if not where.served or store is None:
        return settings
    from rearank_cli.engines.openai import authorization
    from rearank_cli.engines.served import server_identity

    name = settings.model.name
    if where.rerank_urls:
        from rearank_cli.engines.scored import scored_identity

        told = scored_identity(where.rerank_urls, name, authorization(), store)
    else:
        told = server_identity(where.base_urls, name, authorization(), store)
    return replace(settings, model=replace(settings.model, revision=f"{name} at {told}"))


def _legacy(settings: EngineSettings, where: Where) -> dict[str, Any] | None:
    """Return what earlier versions kept answers by; they had vLLM alone, and in one process."""
    return settings.legacy_identity() if where.name in ("vllm", "ray") else None


def check_urls(urls: Sequence[str], parameter: str = "base_urls") -> list[str]:
    """Return URLs without their last slash; raise `RearankError` for what is no URL."""
    example = "/v1" if parameter == "base_urls" else "/rerank"
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise RearankError(
                f"`{parameter}`: expected http://… or https://…, found {url!r}",
                hint=f"for example http://localhost:8000{example}",
            )
    return [url.rstrip("/") for url in urls]


def with_dtype(
    settings: EngineSettings, machine: Machine | None = None, bfloat16: bool | None = None
) -> EngineSettings:
    """Return the settings with the precision that this CPU is fast in, unless one was asked for.

    `bfloat16` says whether the CPU has instructions for it. Engines on a GPU or a server, and
    models whose weights are quantised, keep their own. Chosen here, it is a part of what answers
    are kept by and of what a trace says about them.
    """
    if not settings.model.location or "dtype" in settings.engine_args:
        return settings
    machine = machine or this_machine()
    if machine.uses_gpu or not machine.builds <= {CPU_BUILD}:
        return settings
    if quantised(settings.model):
        return settings
    native = cpu_has_bfloat16() if bfloat16 is None else bfloat16
    chosen = "bfloat16" if native else "float32"
    return replace(settings, engine_args={**settings.engine_args, "dtype": chosen})


def with_adapter(settings: EngineSettings, folder: str | None) -> EngineSettings:
    """Return the settings with a LoRA adapter that was checked against the model.

    Raises `RearankError` for one that does not fit, or for a model on a server.
    """
    if folder is None:
        return settings
    if not settings.model.location:
        raise RearankError(
            "`adapter` needs a model in this process",
            hint="a server has its own adapters: give `model` the name it has for one",
        )
    from rearank_cli.engines.adapters import resolve_adapter

    return under(settings, *resolve_adapter(folder, settings.model))


def under(settings: EngineSettings, adapter: Model, rank: int) -> EngineSettings:
    """Return the settings with an adapter of this rank, which fits the model."""
    arguments = {"max_lora_rank": lora_rank_limit(rank), **settings.engine_args}
    return replace(settings, adapter=adapter, engine_args=arguments)


def lora_rank_limit(rank: int) -> int:
    """Return the smallest of vLLM's rank limits that an adapter's rank fits."""
    limits = (1, 8, 16, 32, 64, 128, 256, 320, 512)
    for limit in limits:
        if rank <= limit:
            return limit
    raise RearankError(f"`adapter`: expected a rank of at most {limits[-1]}, found {rank}")


def engine_arguments(pairs: Sequence[str], **named: Any) -> dict[str, Any]:
    """Return vLLM's engine arguments from `key=value` pairs and from options of their own.

    Dashes in keys become underscores and values are JSON if they can; pairs win over options,
    and options that are None are left out. Raises `RearankError` for anything without a key.
    """
    arguments = {name: value for name, value in named.items() if value is not None}
    return arguments | dict(_pair(pair, "engine_args") for pair in pairs)


def server_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """Return fields for every request to a server from `key=value` pairs.

    Values are JSON if they can; a field without a value is None and left out of every request.
    Raises `RearankError` for anything without a key.
    """
    found = dict(_pair(pair, "server_args") for pair in pairs)
    return {name: None if value == "" else value for name, value in found.items()}


def _pair(pair: str, parameter: str) -> tuple[str, Any]:
    key, equals, value = pair.partition("=")
    if not key or not equals:
        raise RearankError(f"`{parameter}`: expected key=value, found {pair!r}")
    try:
        return key.replace("-", "_"), json.loads(value)
    except json.JSONDecodeError:
        return key.replace("-", "_"), value
