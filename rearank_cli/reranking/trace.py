"""The record of every ask: what was shown, what the model said, what was understood, what moved.

A trace file is JSON lines. The first line is the provenance, `{"provenance": {…}, "trace": 2}`;
every other line is one ask, in input order of the queries and in the order of their stages.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name, read_lines
from rearank_cli.records import FLAW_NAMES, Flaws, Kind, Ranking

VERSION = 2


@dataclass(frozen=True, slots=True)
class AskTrace:
    """One ask of a query.

    `pass_`, `stage` and `place` count from 1: a pass over the ranking, its stages through all
    passes, the asks of a stage. `before` are the doc ids as shown and `after` as the model ordered
    them, with their `scores` where it gave any (in the order of `before`; None where it left one
    out). `ranks_before` and `ranks_after` say where these documents stood in the query's whole
    ranking before the stage and stand after it, from 1, in the order of `before`. All other
    documents keep their order among themselves; where a method moved them too, `moved` has their
    new ranks. `read` is how many first ranks of the answer were read where no more were wanted: the
    others keep the order shown; 0 means that all of it was. `tokens`, where the likelihood of the
    query was asked for, are the query's tokens and their natural log-probabilities. `hits`, in the
    first ask alone, is the ranking before the first stage, within the depth.

    `passage_chars` is the length at which passages were cut, in characters, and `shortened` says
    that it is below the recipe's for want of context; `seconds` is the time that a ready engine
    took.
    """

    query_id: str
    query: str
    pass_: int
    stage: int
    place: int
    before: Ranking
    after: Ranking
    ranks_before: tuple[int, ...]
    ranks_after: tuple[int, ...] = ()
    moved: Mapping[str, int] = field(default_factory=dict)
    hits: Ranking = ()
    kind: Kind = "order"
    scores: tuple[float | None, ...] = ()
    tokens: tuple[tuple[str, float], ...] = ()
    reasoning: str = ""
    answer: str = ""
    flaws: Flaws = field(default_factory=Flaws)
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cached: bool = False
    passage_chars: int = 0
    shortened: bool = False
    read: int = 0

    @property
    def ranks(self) -> str:
        """The ranks of what was shown, before the stage: `10, 21-39`."""
        return _listed(self.ranks_before)

    def to_json(self) -> str:
        """Return the trace as one line of JSON; parts that are empty are left out."""
        # Not by `asdict`, which copies every part and takes a fifth of the driver's time.
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        record["flaws"] = {name: getattr(self.flaws, name) for name in FLAW_NAMES}
        record["pass"] = record.pop("pass_")
        for name in ("moved", "hits", "scores", "read", "tokens"):
            if not record[name]:
                del record[name]
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "AskTrace":
        """Rebuild a trace from its JSON object; raise `KeyError` or `TypeError` if it is none."""
        values = dict(record)
        values["pass_"] = values.pop("pass")
        for name in ("before", "after", "ranks_before", "ranks_after", "hits", "scores"):
            values[name] = tuple(values.get(name, ()))
        values["tokens"] = tuple((text, logprob) for text, logprob in values.get("tokens", ()))
        flaws = dict(values["flaws"])
        for name in ("missing", "repeated", "unknown"):
            flaws[name] = tuple(flaws[name])
        values["flaws"] = Flaws(**flaws)
        return cls(**values)


def settle(asks: Sequence[AskTrace], old: Ranking, new: Ranking) -> tuple[AskTrace, ...]:
    """Return the asks of one stage with the ranks that their documents have after it."""
    ranks = {doc_id: rank for rank, doc_id in enumerate(new, 1)}
    settled = [
        replace(ask, ranks_after=tuple(ranks[doc_id] for doc_id in ask.before)) for ask in asks
    ]
    if settled and reordered(old, settled) != new:
        asked = {doc_id for ask in asks for doc_id in ask.before}
        others = {doc_id: rank for doc_id, rank in ranks.items() if doc_id not in asked}
        settled[-1] = replace(settled[-1], moved=others)
    return tuple(settled)


def reordered(old: Ranking, asks: Sequence[AskTrace]) -> Ranking:
    """Return the ranking after a stage, from the ranking before it and what the asks note.

    Raises `ValueError` for asks that do not belong to this ranking.
    """
    places: dict[int, str] = {}
    for ask in asks:
        noted = dict(zip(ask.before, ask.ranks_after, strict=True))
        for doc_id, rank in {**noted, **ask.moved}.items():
            if places.setdefault(rank, doc_id) != doc_id:
                raise ValueError(f"two documents at rank {rank}")
    known = set(places.values())
    others = iter([doc_id for doc_id in old if doc_id not in known])
    new = tuple(places.get(rank) or next(others, "") for rank in range(1, len(old) + 1))
    if set(new) != set(old):
        raise ValueError("the asks show other documents")
    return new


def read_provenance(source: str) -> dict[str, Any]:
    """Return the provenance of a trace file; empty where it has none."""
    for _, line in read_lines(source):
        try:
            first = json.loads(line)
        except json.JSONDecodeError:
            return {}
        return dict(first.get("provenance", {})) if isinstance(first, dict) else {}
    return {}


def read_trace(source: str) -> Iterator[AskTrace]:
    """Yield the asks of a trace file; raise `RearankError` with `path:line` if it is none."""
    name = display_name(source)
    found = False
    for number, line in read_lines(source):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if "provenance" in record:
                continue
            if "start" in record and "ranks_before" not in record:
                raise _old(name, number)
            yield AskTrace.from_json(record)
            found = True
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise RearankError(
                f"{name}:{number}: expected a window of a trace, found {line[:60]!r}",
                hint="traces are written by rearank rerank beside the run",
            ) from error
    if not found:
        raise RearankError(f"{name}: expected the trace of a run, found no windows")


def _old(name: str, number: int) -> RearankError:
    return RearankError(
        f"{name}:{number}: a trace of rearank 0.1, which does not say where passages ended",
        hint="rerank again: finished answers are kept, so that the same command takes seconds",
    )


def spans(ranks: Sequence[int]) -> list[tuple[int, int]]:
    """Return the runs of neighbouring ranks, first and last of each, in order."""
    found: list[tuple[int, int]] = []
    for rank in sorted(ranks):
        if found and found[-1][1] == rank - 1:
            found[-1] = (found[-1][0], rank)
        else:
            found.append((rank, rank))
    return found


def ranks_text(ranks: Sequence[int]) -> str:
    """Return ranks as people write them: `ranks 10, 21-39`."""
    return f"rank{'' if len(ranks) == 1 else 's'} {_listed(ranks)}"


def _listed(ranks: Sequence[int]) -> str:
    return ", ".join(
        f"{first}" if first == last else f"{first}-{last}" for first, last in spans(ranks)
    )
