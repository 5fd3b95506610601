"""What is asked of a cluster: where it is, how many replicas, and what each of them gets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rearank_cli.errors import RearankError

MAX = "max"
# vLLM's arguments that say over how many devices one engine is spread.
_SPREAD = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray cluster by its `address` (`auto` finds the one of this machine).

    `replicas` is how many engines there are to be, None as many as fit; `gpus` how many GPUs each
    of them gets, None what it is spread over, or one where the cluster has any.
    """

    address: str = "auto"
    replicas: int | None = None
    gpus: int | None = None

    @classmethod
    def asked(
        cls,
        address: str | None,
        replicas: int | str | None,
        gpus: int | None,
        engine_args: Mapping[str, Any],
    ) -> "Cluster | None":
        """Return the cluster that the user asked for, or None for none.

        Raises `RearankError` for numbers that cannot work, and for an address of Ray's client,
        which does not end our processes when the command is killed.
        """
        if not address:
            for name, value in (("`replicas`", replicas), ("`gpus_per_replica`", gpus)):
                if value is not None:
                    raise RearankError(
                        f"{name} needs a cluster", hint="`ray=auto`, or `ray=HOST:PORT`"
                    )
            return None
        if "://" in address:
            raise RearankError(
                f"`ray`: expected auto or HOST:PORT, found {address!r}",
                hint="start the command on a node of the cluster; docs/cluster.md shows how",
            )
        spread = spread_over(engine_args)
        if gpus is not None and (gpus < 0 or (gpus and spread not in (1, gpus))):
            expected = f"{spread}, over which the engine is spread" if gpus > 0 else "0 or more"
            raise RearankError(f"`gpus_per_replica`: expected {expected}, found {gpus}")
        return cls(address, _count(replicas), gpus)


def _count(replicas: int | str | None) -> int | None:
    if replicas is None or replicas == MAX:
        return None
    text = str(replicas)
    if not text.isdecimal() or int(text) < 1:
        raise RearankError(
            f"`replicas`: expected a whole number of at least 1, or {MAX}, found {replicas!r}"
        )
    return int(text)


def spread_over(engine_args: Mapping[str, Any]) -> int:
    """Return over how many devices these arguments spread one engine."""
    devices = 1
    for name in _SPREAD:
        devices *= int(engine_args.get(name) or 1)
    return devices


@dataclass(frozen=True, slots=True)
class Node:
    """What a node of the cluster has in all, whoever uses it now."""

    cpus: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one replica gets; it lies on one node."""

    cpus: int
    gpus: int

    def fits(self, nodes: Iterable[Node]) -> int:
        """Return how many replicas these nodes have room for, if nobody else uses them.

        Without a GPU, a replica takes all cores that it is given, and one is enough for a node.
        """
        if self.gpus:
            return sum(min(each.gpus // self.gpus, each.cpus // self.cpus) for each in nodes)
        return sum(each.cpus >= self.cpus for each in nodes)

    def __str__(self) -> str:
        """Say it in words."""
        gpus = f" and {_plural(self.gpus, 'GPU')}" if self.gpus else ""
        return f"{_plural(self.cpus, 'CPU')}{gpus}"


def share(cluster: Cluster, engine_args: Mapping[str, Any], nodes: Iterable[Node]) -> Share:
    """Return what one replica gets of these nodes.

    With GPUs, one CPU besides: its main process. Without, as many CPUs as give room to all
    replicas, and all of the smallest node when there are to be as many as fit.
    """
    known = list(nodes)
    gpus = cluster.gpus
    if gpus is None:
        gpus = spread_over(engine_args) if any(each.gpus for each in known) else 0
    if gpus:
        return Share(1, gpus)
    sizes = [each.cpus for each in known if each.cpus]
    wanted = cluster.replicas or len(sizes)
    for cpus in range(max(sizes, default=1), 1, -1):
        if sum(size // cpus for size in sizes) >= wanted:
            return Share(cpus, 0)
    return Share(1, 0)


def described(nodes: Iterable[Node]) -> str:
    """Return what nodes have together, in words."""
    known = list(nodes)
    cpus, gpus = sum(each.cpus for each in known), sum(each.gpus for each in known)
    return f"{_plural(len(known), 'node')}, {_plural(cpus, 'CPU')}, {_plural(gpus, 'GPU')}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
