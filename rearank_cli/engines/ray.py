"""Many engines on the nodes of a Ray cluster, asked as one."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rearank_cli.engines.base import WRITING, Ability, EngineSettings, Model
from rearank_cli.engines.cluster import Cluster, Share, described, share, spread_over
from rearank_cli.engines.joining import connect, living_nodes, told
from rearank_cli.engines.replica import Failure, Kit, NodeLog, Replica, VllmKit
from rearank_cli.engines.roster import Gone, Member, Roster
from rearank_cli.engines.vllm import GPU_SEQUENCES, MOST_CHOICES
from rearank_cli.errors import EngineError
from rearank_cli.log import note
from rearank_cli.records import Completion, Request

# A request under which so many replicas have died is not asked again: it may be why.
DEATHS = 5
# How often the cluster is looked at for nodes that came, and how long engines may take to stop; in
# seconds.
LOOK = 5.0
_STOPPING = 5.0
_TOGETHER = 100_000  # requests that a replica may hold at once; the engine's queue is the bound


class RayEngine:
    """An `Engine` whose replicas are Ray actors, each with an engine of its own.

    Ray places them, and starts them again when they or their nodes die; what they were asked is
    then asked of another. `capacity` and `kv_tokens` are sums over the replicas that are ready.
    The actors belong to this process: Ray ends them when it is gone, however it went. `kit` is
    what they are made of. `retries` counts the requests that were asked again.
    """

    abilities: frozenset[Ability] = WRITING
    most_choices = MOST_CHOICES

    def __init__(
        self,
        settings: EngineSettings,
        cluster: Cluster,
        deadline: float = 1800.0,
        kit: Kit | None = None,
    ) -> None:
        """Remember what to start; nothing is imported before `open`."""
        self._settings = settings
        self._cluster = cluster
        self._deadline = deadline
        self._kit = kit or VllmKit()
        self._roster: Roster | None = None
        self._growing: asyncio.Task[None] | None = None
        self._connected = False
        self.reserved: Sequence[str] = settings.model.reserved
        self.retries: Counter[str] = Counter()

    def identity(self) -> Mapping[str, Any]:
        """Return what answers depend on beside the request."""
        return self._settings.identity()

    @property
    def capacity(self) -> int:
        """How many requests keep all replicas full; a guess before they are there."""
        if self._roster is None:
            return GPU_SEQUENCES * (self._cluster.replicas or 1)
        return sum(member.capacity for member in self._roster.ready)

    @property
    def kv_tokens(self) -> int:
        """How many tokens the caches of all replicas hold; 0 while one does not tell."""
        rooms = [member.kv_tokens for member in self._roster.ready] if self._roster else []
        return sum(rooms) if all(rooms) else 0

    async def open(self) -> None:
        """Connect and wait for the first replica; raise `EngineError` when none comes."""
        loop = asyncio.get_running_loop()
        self._settings.log.begin()  # Ray says a lot when a node goes
        self._settings.tell("connecting to the cluster")
        self._connected = await loop.run_in_executor(
            None, connect, self._cluster.address, self._settings.log.shown
        )
        nodes = await loop.run_in_executor(None, living_nodes)
        each = share(self._cluster, self._settings.engine_args, nodes)
        self._roster = Roster(self._hiring(each), self._traits(), self._deadline)
        count = self._cluster.replicas or max(each.fits(nodes), 1)
        self._roster.add(count)
        note(f"the cluster has {described(nodes)}; each of {count} replicas takes {each}")
        self._settings.tell("waiting for the first replica")
        if self._cluster.replicas is None:
            self._growing = asyncio.create_task(self._grow(each, self._roster))
        await self._roster.roomiest()

    def _traits(self) -> dict[str, str]:
        """Return what is known of every replica before the first is there."""
        found = {"the model's revision": self._settings.model.revision}
        if self._settings.adapter:
            found["the adapter's revision"] = self._settings.adapter.revision
        return {name: value for name, value in found.items() if value}

    def _hiring(self, each: Share) -> Any:
        """Return what starts an actor with this share of a node."""
        import ray

        settings = replace(
            self._settings,
            model=_placed(self._settings.model),
            adapter=_placed(self._settings.adapter) if self._settings.adapter else None,
            engine_args=_within(self._settings.engine_args, each),
            log=NodeLog(),
            tell=_in_silence,
        )
        actors = ray.remote(Replica).options(
            num_cpus=each.cpus,
            num_gpus=each.gpus,
            max_restarts=-1,
            max_task_retries=0,  # what was lost goes to the replica with most room
            max_concurrency=_TOGETHER,
        )
        return lambda: actors.remote(self._kit, settings)

    async def _grow(self, each: Share, roster: Roster) -> None:
        """Start more replicas when nodes have come."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK)
            nodes = await loop.run_in_executor(None, living_nodes)
            roster.add(max(each.fits(nodes) - len(roster), 0))

    async def complete(self, request: Request) -> Completion:
        """Answer one request; ask another replica when one dies.

        Raises what the engine says, and `EngineError` when no replica has been there for the
        deadline, or when too many have died under this request.
        """
        assert self._roster is not None, "open comes before complete"
        last = ""
        for _ in range(DEATHS):
            member = await self._roster.roomiest()
            life = member.gone
            try:
                return await self._ask(member, request)
            except Gone as gone:
                last = str(gone)
                self.retries["replica lost"] += 1
                self._roster.lost(member, life, last)
        raise EngineError(f"{DEATHS} replicas died under this request; the last: {last}")

    async def _ask(self, member: Member, request: Request) -> Completion:
        import ray
        from ray.exceptions import RayActorError, RayError

        member.in_flight += 1
        reply = member.actor.complete.remote(request)
        try:
            found = await reply
        except asyncio.CancelledError:
            with suppress(RayError):
                ray.cancel(reply)
            raise
        except RayActorError as error:
            raise Gone(told(error)) from error
        except RayError as error:
            raise EngineError(f"a replica on {member.host} failed: {told(error)}") from error
        finally:
            member.in_flight -= 1
        if isinstance(found, Failure):
            if found.died:
                raise Gone(found.message)
            raise found.error()
        assert isinstance(found, Completion), "a replica completes or fails"
        return found

    async def close(self) -> None:
        """End all replicas; leave the cluster if `open` has entered it."""
        growing, self._growing = self._growing, None
        if growing:
            growing.cancel()
            await asyncio.gather(growing, return_exceptions=True)
        roster, self._roster = self._roster, None
        try:
            if roster is not None:
                await roster.close(_STOPPING)
        finally:
            connected, self._connected = self._connected, False
            if connected:
                import ray

                ray.shutdown()
            self._settings.log.forget()


def _in_silence(text: str) -> None:
    """Say nothing: nobody sits before a node."""


def _placed(model: Model) -> Model:
    """Return a model whose folder, if it has one, is named from the root."""
    folder = Path(model.location)
    if model.location and folder.is_dir():
        return replace(model, location=str(folder.resolve()))
    return model


def _within(engine_args: Mapping[str, Any], each: Share) -> dict[str, Any]:
    """Return the arguments of an engine that uses all of its share, and nothing beyond it."""
    found = dict(engine_args)
    if each.gpus > 1 and spread_over(engine_args) == 1:
        found["tensor_parallel_size"] = each.gpus
    if spread_over(found) > 1:
        found.setdefault("distributed_executor_backend", "mp")
    return found
