"""The replicas of a cluster: who is there, who has room, who has gone."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rearank_cli.engines.joining import is_final, ray_errors, told
from rearank_cli.engines.replica import Facts, Failure
from rearank_cli.errors import EngineError, EngineStartError, RearankError
from rearank_cli.log import note, warn

# How often a replica is asked for that is being started again, in seconds.
PAUSE = 0.5
# So many starts of a replica may fail one after the other.
STARTS = 3

INSTALLED = "rearank-cli[ray] and vLLM must be installed on every node"


class Gone(Exception):
    """A replica has died, and with it what it was asked."""


@dataclass(slots=True, eq=False)
class Member:
    """One replica as the command sees it; `actor` is Ray's handle of it."""

    number: int
    actor: Any
    host: str = ""
    ready: bool = False
    capacity: int = 0
    kv_tokens: int = 0
    in_flight: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Roster:
    """All replicas. Each is watched, and waited for when it is started again.

    `hire` starts an actor. `traits` are what must be the same on all nodes, as far as it is known
    before the first replica tells. A request waits at most `deadline` seconds for a replica while
    there is none.
    """

    def __init__(self, hire: Callable[[], Any], traits: Mapping[str, str], deadline: float) -> None:
        """Have nobody yet."""
        self._hire = hire
        self._traits = dict(traits)
        self._deadline = deadline
        self._members: dict[Member, asyncio.Task[None]] = {}
        self._numbers = 0
        self._problem: Failure | None = None
        self._changed = asyncio.Event()
        self.served = False

    @property
    def ready(self) -> list[Member]:
        """The replicas that can be asked now."""
        return [member for member in self._members if member.ready]

    def __len__(self) -> int:
        """Return how many replicas there are or will be."""
        return len(self._members)

    def add(self, count: int) -> None:
        """Start so many replicas, each as soon as there is a place for it."""
        for _ in range(count):
            self._numbers += 1
            member = Member(self._numbers, self._hire())
            self._members[member] = asyncio.create_task(self._keep(member))

    async def roomiest(self) -> Member:
        """Return the replica with most room; wait for one while there is none.

        Raises `EngineError` after the deadline, or when no replica can be had any more.
        """
        until = asyncio.get_running_loop().time() + self._deadline
        while not (ready := self.ready):
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or not self._members:
                raise self._nobody()
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        known = all(member.kv_tokens for member in ready)
        return min(
            ready,
            key=lambda each: (each.in_flight + 1) / (each.kv_tokens if known else each.capacity),
        )

    def _nobody(self) -> RearankError:
        """Return the error for a cluster without a replica."""
        if not self._members and self._problem:
            error = self._problem.error()
            return (
                error
                if self.served
                else EngineStartError(error.message, error.hint, error.exit_code)
            )
        last = f"; the last problem: {self._problem.message}" if self._problem else ""
        kind = EngineError if self.served else EngineStartError
        return kind(
            f"the cluster had no replica for {self._deadline:.0f} s{last}",
            hint="`ray status` shows what it has; the same command goes on from here",
        )

    def lost(self, member: Member, gone: asyncio.Event, why: str) -> None:
        """Ask a replica no more until it is back; `gone` is its life that was lost."""
        gone.set()
        if member.ready and gone is member.gone:
            member.ready = False
            self._problem = Failure(why)
            note(f"a replica on {member.host} is lost: {why}; {len(self.ready)} left")

    async def _keep(self, member: Member) -> None:
        """Start a replica, watch it, wait until it is back when it has died; give up at last."""
        failed = 0
        while failed < STARTS:
            try:
                found = await self._opened(member)
                if isinstance(found, Failure):
                    self._problem = found
                    failed = failed + 1 if found.exit_code == 1 else STARTS
                    _end(member, again=True)
                else:
                    failed = 0
                    self._welcome(member, found)
                    await _watched(member)
            except ray_errors() as error:
                if is_final(error):
                    failed += not member.ready
                    _end(member)
                    member.actor = self._hire()
                self.lost(member, member.gone, told(error))
                if not self._problem or "not be made" in told(error):
                    self._problem = Failure(told(error), INSTALLED)
            await asyncio.sleep(PAUSE)
        self._dismiss(member)

    async def _opened(self, member: Member) -> Facts | Failure:
        """Open a replica; return what it tells, or why it is of no use."""
        found = await member.actor.open.remote()
        if isinstance(found, Failure):
            return found
        assert isinstance(found, Facts), "a replica tells facts"
        for name, value in found.traits.items():
            expected = self._traits.setdefault(name, value)
            if value != expected:
                return Failure(
                    f"the replica on {found.host} is refused: expected {name} to be {expected}, "
                    f"found {value}",
                    "all nodes need the same installation and the same files of the model",
                    exit_code=2,
                )
        return found

    def _welcome(self, member: Member, facts: Facts) -> None:
        member.host, member.capacity = facts.host, max(facts.capacity, 1)
        member.kv_tokens, member.ready, member.gone = facts.kv_tokens, True, asyncio.Event()
        self.served = True
        self._changed.set()
        note(f"a replica on {facts.host} is ready: {len(self.ready)} of {len(self)}")

    def _dismiss(self, member: Member) -> None:
        """Do without a replica that cannot be had."""
        _end(member)
        del self._members[member]
        self._changed.set()
        if self._members and self._problem:
            warn(f"a replica is given up: {self._problem.message}")

    async def close(self, seconds: float) -> None:
        """End all replicas; their engines have so many seconds to do it in order."""
        members = list(self._members)
        for task in self._members.values():
            task.cancel()
        await asyncio.gather(*self._members.values(), return_exceptions=True)
        self._members.clear()
        closing = [asyncio.ensure_future(_closed(member)) for member in members if member.ready]
        try:
            if closing:
                await asyncio.wait(closing, timeout=seconds)
        finally:
            for waiting in closing:
                waiting.cancel()
            for member in members:
                _end(member)


def _end(member: Member, again: bool = False) -> None:
    """End the process of a replica; `again` says whether Ray shall start a fresh one."""
    import ray

    with suppress(ray_errors()):
        ray.kill(member.actor, no_restart=not again)


async def _watched(member: Member) -> None:
    """Wait until a replica is gone, or until somebody has found it to be."""
    watching = asyncio.ensure_future(member.actor.watch.remote())
    told = asyncio.create_task(member.gone.wait())
    try:
        await asyncio.wait([watching, told], return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
    finally:
        watching.cancel()
        told.cancel()


async def _closed(member: Member) -> None:
    with suppress(ray_errors()):
        await member.actor.close.remote()
