"""One engine on a node of a cluster; this runs in a process of its own there."""

import asyncio
import importlib.metadata
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from rearank_cli import __version__
from rearank_cli.engines.base import Engine, EngineSettings, Model
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.records import Completion, Request

# How often an engine is looked at, and how long a reply may take to leave a dying process; seconds.
_LOOK, _FAREWELL = 1.0, 1.0


class Kit(Protocol):
    """What a replica is made of. It travels to the nodes by the name of its class."""

    def make(self, settings: EngineSettings) -> Engine:
        """Return the engine, not yet open. It may have a field `dead`, for one that has died."""
        ...

    def traits(self, settings: EngineSettings) -> Mapping[str, str]:
        """Return what must be the same on all nodes, by name; raise `RearankError`."""
        ...


class VllmKit:
    """Replicas that are vLLM."""

    def make(self, settings: EngineSettings) -> Engine:
        """Return vLLM for what this node is."""
        from rearank_cli.engines.environment import set_environment
        from rearank_cli.engines.vllm import VllmEngine

        # Several engines of one machine would bind themselves to the same cores. Ray has said how
        # many threads this one gets.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        set_environment()
        return VllmEngine(_here(settings))

    def traits(self, settings: EngineSettings) -> Mapping[str, str]:
        """Return the versions of rearank and vLLM, and the revisions of model and adapter."""
        found = {"rearank": __version__, "vLLM": _vllm_version()}
        found["the model's revision"] = _revision(_here(settings).model)
        if settings.adapter:
            found["the adapter's revision"] = _revision(settings.adapter)
        return found


def _here(settings: EngineSettings) -> EngineSettings:
    """Return the settings with the embedded model where this node has it."""
    from rearank_cli.engines.defaults import EMBEDDED
    from rearank_cli.engines.models import embedded_model

    if settings.model.name != EMBEDDED:
        return settings
    return replace(settings, model=replace(settings.model, location=str(embedded_model())))


def _revision(model: Model) -> str:
    """Return the revision of a model or adapter on this node; a hub's is fetched as it is named."""
    from rearank_cli.engines.revision import revision

    if not os.path.isabs(model.location) and not Path(model.location).is_dir():
        return model.revision
    if not Path(model.location).is_dir():
        raise EngineStartError(
            f"{model.location}: no such folder",
            hint="a folder must be on every node, at the same place; a hub id need not",
            exit_code=2,
        )
    return revision(Path(model.location))


def _vllm_version() -> str:
    for name in ("vllm", "vllm-cpu"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return f"{name} {importlib.metadata.version(name)}"
    return "none"


class NodeLog:
    """The `EngineLog` of a replica: what Ray keeps of the process's messages, on its node."""

    shown = False

    def begin(self) -> None:
        """Do nothing; the process has begun with it."""

    def advice(self) -> str:
        """Say where the messages are."""
        with suppress(OSError):
            return f"the engine's own messages are in {os.readlink('/proc/self/fd/2')} there"
        return "the engine's own messages are in Ray's logs there"

    def forget(self) -> None:
        """Leave them to Ray, which throws them away with its session."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a replica that is ready tells: where it is, what it can take, what it is made of."""

    host: str
    capacity: int
    kv_tokens: int
    traits: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error on its way to the command; the errors themselves do not travel well.

    `died` says that the engine is dead, and its process about to be.
    """

    message: str
    hint: str = ""
    exit_code: int = 1
    too_long: tuple[Any, ...] = ()
    died: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, error: RearankError, died: bool = False) -> "Failure":
        """Pack an error."""
        numbers = (error.tokens, error.limit) if isinstance(error, PromptTooLong) else ()
        return cls(error.message, error.hint, error.exit_code, numbers, died=died)

    def error(self) -> RearankError:
        """Unpack it."""
        if self.too_long:
            return PromptTooLong(*self.too_long)
        if self.exit_code == EngineError.exit_code:
            return EngineError(self.message, self.hint)
        return EngineStartError(self.message, self.hint, self.exit_code)


class Replica:
    """An engine, asked from afar. When the engine dies, its process ends, and Ray starts another.

    vLLM's own processes end with this one: each engine has its guard.
    """

    def __init__(self, kit: Kit, settings: EngineSettings) -> None:
        """Remember what to start."""
        os.dup2(2, 1)  # nothing that an engine prints shall reach the command's standard output
        self._kit = kit
        self._settings = settings
        self._engine: Engine | None = None

    async def open(self) -> Facts | Failure:
        """Start the engine, if it is not running, and tell of it."""
        host = socket.gethostname()
        loop = asyncio.get_running_loop()
        try:
            traits = await loop.run_in_executor(None, self._kit.traits, self._settings)
            if self._engine is None:
                engine = self._kit.make(self._settings)
                await engine.open()
                self._engine = engine
        except RearankError as error:
            return replace(Failure.of(error), message=f"{host}: {error.message}")
        engine = self._engine
        return Facts(host, engine.capacity, engine.kv_tokens, traits)

    async def complete(self, request: Request) -> Completion | Failure:
        """Answer one request."""
        if self._engine is None:  # asked before the command knew that the process is a new one
            return Failure("it was started again", died=True)
        try:
            return await self._engine.complete(request)
        except RearankError as error:
            if died := self._dead():
                asyncio.get_running_loop().call_later(_FAREWELL, os._exit, 1)
            return Failure.of(error, died)

    async def watch(self) -> None:
        """End this process when the engine has died; returns never."""
        while not self._dead():
            await asyncio.sleep(_LOOK)
        await asyncio.sleep(_FAREWELL)
        os._exit(1)

    def _dead(self) -> bool:
        return bool(getattr(self._engine, "dead", False))

    async def close(self) -> None:
        """Stop the engine."""
        if self._engine is not None:
            await self._engine.close()
