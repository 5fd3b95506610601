"""Queries looked up on the nodes of a Ray cluster, each in the copy of the index that is there."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from rearank_cli.engines.cluster import Cluster, Share, described, share
from rearank_cli.engines.joining import connect, living_nodes, ray_errors, told
from rearank_cli.engines.replica import Failure
from rearank_cli.errors import EngineError, EngineStartError, RearankError
from rearank_cli.log import note
from rearank_cli.lucene import bm25, jvm
from rearank_cli.lucene.bm25 import BATCH, Search
from rearank_cli.lucene.jar import anserini_jar
from rearank_cli.lucene.plain import Hit
from rearank_cli.records import Query

# How long the whole cluster may answer nothing, in seconds: it has no place for us then.
PATIENCE = 1800.0
# Ray asks another node when one is lost; a batch under which so many die is not asked again.
RETRIES = 4
# Batches for every place: enough that the last ones end at about the same time.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of some queries, where they were found, and in what."""

    host: str
    traits: Mapping[str, str]
    hits: dict[str, list[Hit]]


class Spread:
    """A `Finder` that gives the queries to the nodes of a cluster; made by `on_cluster`.

    `cpus` are what one search takes of a node, and `places` how many there is room for at once.
    """

    def __init__(self, cpus: int, places: int, patience: float) -> None:
        """Know the cluster, and no node's index yet."""
        self._cpus = cpus
        self._places = places
        self._patience = patience

    def __call__(
        self, index: Path, queries: Sequence[Query], how: Search, brief: bool
    ) -> dict[str, list[Hit]]:
        """Look queries up wherever there is room; Ray asks another node when one is lost.

        Raises `EngineError` when nothing is answered any more, and `RearankError` for a node whose
        index or Anserini is another than the first one's.
        """
        import ray

        task = ray.remote(look_up).options(num_cpus=self._cpus, max_retries=RETRIES)
        size = min(max(-(-len(queries) // (_ROUNDS * self._places)), 1), BATCH)
        batches = [queries[start : start + size] for start in range(0, len(queries), size)]
        # A process of a node serves many batches: that Java should be quick, not soon there.
        brief = brief and len(batches) <= _ROUNDS * self._places
        pending = [
            task.remote(str(index.resolve()), batch, self._narrowed(how, batch), brief)
            for batch in batches
        ]
        parts = self._landed(pending)
        found = {name: hits for part in parts for name, hits in part.items()}
        return {query.query_id: found[query.query_id] for query in queries}

    def _narrowed(self, how: Search, batch: Sequence[Query]) -> Search:
        """Return how to search for a batch alone: what is excluded may be more than its texts."""
        excluded = {each.query_id: how.excluded.get(each.query_id, frozenset()) for each in batch}
        return replace(how, threads=self._cpus, excluded=excluded)

    def _landed(self, tasks: Sequence[Any]) -> Iterator[dict[str, list[Hit]]]:
        """Yield what the nodes find, as it comes."""
        import ray

        waiting = list(tasks)
        expected: dict[str, str] = {}
        try:
            while waiting:
                done, waiting = ray.wait(waiting, timeout=self._patience)
                if not done:
                    raise EngineError(
                        f"the cluster searched nothing for {self._patience:.0f} s",
                        hint="`ray status` shows what it has",
                    )
                yield self._checked(done[0], expected).hits
        finally:
            for each in waiting:
                ray.cancel(each)

    def _checked(self, task: Any, expected: dict[str, str]) -> Found:
        """Return what a node found; raise for a failure and for a node unlike the others."""
        import ray

        try:
            found = ray.get(task)
        except ray_errors() as error:
            raise EngineError(f"searching on the cluster failed: {told(error)}") from error
        if isinstance(found, Failure):
            raise found.error()
        assert isinstance(found, Found), "a node finds or fails"
        for name, value in found.traits.items():
            known = expected.setdefault(name, value)
            if value != known:
                raise RearankError(
                    f"{found.host}: expected {name} to be {known} as on the others, found {value}",
                    hint="all nodes need the same installation and the same index",
                )
        return found


def look_up(index: str, queries: Sequence[Query], how: Search, brief: bool) -> Found | Failure:
    """Look queries up in the index of this node; this runs in a process there.

    The process stays for the next batch, and its Java with it.
    """
    host = socket.gethostname()
    try:
        if not Path(index).is_dir():
            raise EngineStartError(
                "no such index",
                hint="it must lie on every node at the same place; a shared disk will do",
                exit_code=2,
            )
        hits = bm25.find(Path(index), queries, how, brief)
        traits = {"Anserini": anserini_jar().stem, "the index's documents": _documents(index)}
    except RearankError as error:
        return replace(Failure.of(error), message=f"{host}: {index}: {error.message}")
    return Found(host, traits, hits)


@cache
def _documents(index: str) -> str:
    """Return how many documents an index holds; Java runs, and has opened it before."""
    reader = jvm.java_class("io.anserini.index.IndexReaderUtils").getReader(index)
    try:
        return str(reader.numDocs())
    finally:
        reader.close()


@contextmanager
def on_cluster(
    address: str, threads: int | None = None, verbose: bool = False, patience: float = PATIENCE
) -> Iterator[Spread]:
    """Enter a cluster for as long as the block lasts; yield what looks queries up there.

    `address` is `auto` or `HOST:PORT`. One search takes `threads` CPUs of a node, by default all
    of the smallest. Raises `EngineStartError` where there is no cluster, and none with CPUs.
    """
    cluster = Cluster.asked(address, None, 0, {})
    assert cluster is not None, "an address is given"
    with ThreadPoolExecutor(1) as aside:  # there Ray leaves the handlers of signals alone
        entered = aside.submit(connect, address, verbose).result()
    try:
        nodes = living_nodes()
        cpus = threads or share(cluster, {}, nodes).cpus
        places = sum(each.cpus // cpus for each in nodes)
        if not places:
            raise EngineStartError(
                f"the cluster has {described(nodes)}: expected a node with {Share(cpus, 0)}",
                exit_code=2,
            )
        note(f"the cluster has {described(nodes)}; {places} at once search with {Share(cpus, 0)}")
        yield Spread(cpus, places, patience)
    finally:
        if entered:
            import ray

            ray.shutdown()
