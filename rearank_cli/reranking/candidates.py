"""From a run and a collection to what the reranker needs, with every id accounted for."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from rearank_cli.errors import RearankError
from rearank_cli.records import Passage, Query, Run
from rearank_cli.reranking.chain import Candidates

SHOWN = 3


class Texts(Protocol):
    """Where the texts come from: a `Collection` is one."""

    @property
    def name(self) -> str:
        """The name for messages."""
        ...

    def queries(self) -> Mapping[str, Query]:
        """Return all queries by id."""
        ...

    def passages(self, doc_ids: set[str]) -> Mapping[str, Passage]:
        """Return the passages of these ids, as far as there are any."""
        ...


@runtime_checkable
class Stream(Protocol):
    """Texts that can be had one at a time, so that never all of them are in memory."""

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the passages of these ids, as far as there are any."""
        ...


def candidates(
    run: Run,
    source: str,
    texts: Texts,
    depth: int,
    change: Callable[[Passage], Passage] = lambda passage: passage,
) -> list[Candidates]:
    """Join the first `depth` hits of every query of a run with their texts.

    `source` is the run's name for messages. Every passage is kept as `change` makes it. Raises
    `RearankError` naming the query and document ids of the run that the collection does not have.
    """
    queries = texts.queries()
    place = f"in {texts.name}" if texts.name else "in the collection"
    strangers = [query_id for query_id in run.rankings if query_id not in queries]
    if strangers:
        raise RearankError(
            f"{source}: {_named(strangers, 'query', 'queries')} not {place}",
            hint="is the run of another collection? `collection` or `queries` names the one to use",
        )
    # One string for each id, however many queries have it.
    same = {doc_id: doc_id for ranking in run.rankings.values() for doc_id in ranking[:depth]}
    if isinstance(texts, Stream):
        found = texts.lookup(same)
    else:
        found = iter(texts.passages(set(same)).values())
    passages = {
        same[passage.doc_id]: change(passage._replace(doc_id=same[passage.doc_id]))
        for passage in found
        if passage.doc_id in same
    }
    lost = [
        f"{doc_id} (query {query_id})"
        for query_id, ranking in run.rankings.items()
        for doc_id in ranking[:depth]
        if doc_id not in passages
    ]
    if lost:
        raise RearankError(
            f"{source}: {_named(lost, 'document', 'documents')} not {place}",
            hint="is the run of another collection? `collection` or `corpus` names the one to use",
        )
    return [
        Candidates(
            queries[query_id],
            tuple(same.get(doc_id, doc_id) for doc_id in ranking),
            passages,
            run.scores[query_id],
            run.below.get(query_id, ()),
        )
        for query_id, ranking in run.rankings.items()
    ]


def take_shard(run: Run, shard: str | None) -> Run:
    """Return the I-th of N slices of a run's queries, for a shard written `I/N`.

    Slices follow each other in the order of the run and differ by one query at most, so that
    the results of all of them, concatenated, are the result for the whole run.
    """
    if shard is None:
        return run
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", shard)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise RearankError(f"`shard`: expected I/N with 1 <= I <= N, found {shard!r}")
    ids = list(run.rankings)
    return run.only(ids[len(ids) * (part - 1) // parts : len(ids) * part // parts])


def _named(ids: list[str], one: str, many: str) -> str:
    shown = ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
    return f"{one} {shown} is" if len(ids) == 1 else f"{len(ids)} {many} ({shown}) are"
