"""From what a user says of a model to an engine, after all checks that need nothing heavy."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypedDict

from rearank_cli.engines.adapters import packaged
from rearank_cli.engines.base import Engine, EngineLog, EngineSettings, Model
from rearank_cli.engines.cluster import Cluster
from rearank_cli.engines.defaults import PAPER_MODEL
from rearank_cli.engines.dry import DryEngine
from rearank_cli.engines.machine import this_machine
from rearank_cli.engines.models import find_model
from rearank_cli.engines.opening import (
    Where,
    check_urls,
    make_dry_engine,
    make_engine,
    under,
    with_adapter,
    with_dtype,
)
from rearank_cli.log import note

NO_ADAPTER = "none"


class EngineOptions(TypedDict, total=False):
    """What can be said of an engine beside its model; all may be left out.

    `engine_name` is one of `opening.ENGINES`, by default `openai` for servers and `vllm` in this
    process. `base_urls` are servers, `rerank_urls` are servers that score (a /rerank endpoint), and
    `ray` is the address of a Ray cluster, or `auto`; with any of them the model is not run in this
    process. A cluster runs as many `replicas` (a number, or `max`, the default) on
    `gpus_per_replica` GPUs each. `timeout` and `deadline` are seconds for one request and for one
    ask with all its tries. `adapter` is the folder of a LoRA adapter; `none` leaves out the one
    that comes with a recipe. `engine_args` are vLLM's own arguments, such as `dtype` or
    `max_model_len`; `server_args` are fields of every request to a server, and None leaves a field
    out. `cache` says whether finished answers are kept and used again. `log` takes the messages of
    the engine's libraries, which otherwise go to this process's stdout and stderr; `tell` hears
    what a starting engine is doing.
    """

    engine_name: str
    base_urls: Sequence[str]
    rerank_urls: Sequence[str]
    ray: str | None
    replicas: int | str | None
    gpus_per_replica: int | None
    timeout: float
    deadline: float
    adapter: str | None
    engine_args: Mapping[str, Any]
    server_args: Mapping[str, Any]
    cache: bool
    log: EngineLog
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Opening:
    """A model that was found, and how and where it is to run.

    `without_adapter` says that the user wants none.
    """

    settings: EngineSettings
    where: Where
    without_adapter: bool = False

    @property
    def model(self) -> Model:
        """The model."""
        return self.settings.model

    @property
    def tag(self) -> str:
        """The last part of the model's name in lower case, without spaces."""
        return re.sub(r"\s+", "-", Path(self.model.name).expanduser().absolute().name.lower())

    def for_continuations(self) -> Self:
        """Return how a model is best run whose answers are continuations' log-probabilities.

        Without a GPU and where no engine was named, on transformers: it is ready at once, and
        shares what prompts have in common.
        """
        elsewhere = self.where.served or self.where.cluster
        if self.where.engine or elsewhere or this_machine().uses_gpu:
            return self
        return replace(self, where=replace(self.where, engine="transformers"))

    def with_own(self, adapter: str) -> Self:
        """Return how the model runs with an adapter of the package, unless another was said."""
        if self.without_adapter or self.settings.adapter or not self.model.location:
            return self
        return replace(self, settings=under(self.settings, *packaged(adapter)))

    def make(self) -> Engine:
        """Return the engine; raise `RearankError` when the cache is unusable."""
        return make_engine(self.settings, self.where)

    def dry(self) -> DryEngine:
        """Return an engine that only counts."""
        return make_dry_engine(self.settings, self.where)


def open_settings(model: str | None, **options: Any) -> Opening:
    """Find the model and check the options, which are those of `EngineOptions`.

    Raises `RearankError` for a model that there is not and options that cannot work.
    """
    cluster = Cluster.asked(
        options.pop("ray", None),
        options.pop("replicas", None),
        options.pop("gpus_per_replica", None),
        options.get("engine_args") or {},
    )
    where = Where(
        check_urls(options.pop("base_urls", None) or []),
        check_urls(options.pop("rerank_urls", None) or [], "rerank_urls"),
        engine=options.pop("engine_name", None) or "",
        cluster=cluster,
        **{name: options.pop(name) for name in ("timeout", "deadline", "cache") if name in options},
    )
    adapter = options.pop("adapter", None)
    if where.served and not model:
        from rearank_cli.engines.openai import authorization
        from rearank_cli.engines.scored import scored_model
        from rearank_cli.engines.served import only_model

        asked = scored_model if where.rerank_urls else only_model
        model = asked(where.served, authorization())
        note(f"model: {model}, the only one of the server")
    if cluster:
        model = model or PAPER_MODEL  # this machine says nothing of the nodes
    found = find_model(model, served=bool(where.served))
    settings = EngineSettings(found, **options)
    if not cluster:
        settings = with_dtype(settings)
    none = adapter == NO_ADAPTER
    return Opening(with_adapter(settings, None if none else adapter), where, none)
