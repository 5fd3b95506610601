"""The record of every window: what was asked, what the model said, what was understood.

A trace file is JSON lines. The first line is the provenance, `{"provenance": {…}}`; every other
line is one window, in input order of the queries and in the order the windows ran.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from rearank_cli.errors import RearankError
from rearank_cli.files import display_name, read_lines
from rearank_cli.records import Flaws, Ranking, Window


@dataclass(frozen=True, slots=True)
class WindowTrace:
    """One window: `before` and `after` are doc ids of ranks start + 1 … stop.

    `pass_` counts from 1; `passage_chars` is the length at which passages were cut, in
    characters, and `shortened` says that it is below the profile's for want of context;
    `seconds` is the time from asking to answer.
    """

    query_id: str
    query: str
    pass_: int
    start: int
    stop: int
    before: Ranking
    after: Ranking
    reasoning: str
    answer: str
    flaws: Flaws
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cached: bool
    passage_chars: int
    shortened: bool

    @property
    def window(self) -> Window:
        """The slice of the ranking that was shown."""
        return Window(self.start, self.stop)

    def to_json(self) -> str:
        """Return the trace as one line of JSON."""
        record = asdict(self)
        record["pass"] = record.pop("pass_")
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "WindowTrace":
        """Rebuild a trace from its JSON object; raise `KeyError` or `TypeError` if it is none."""
        values = dict(record)
        values["pass_"] = values.pop("pass")
        values["before"] = tuple(values["before"])
        values["after"] = tuple(values["after"])
        flaws = dict(values["flaws"])
        for name in ("missing", "repeated", "unknown"):
            flaws[name] = tuple(flaws[name])
        values["flaws"] = Flaws(**flaws)
        return cls(**values)


def write_provenance(handle: TextIO, provenance: Mapping[str, Any]) -> None:
    """Write the first line of a trace file."""
    handle.write(json.dumps({"provenance": provenance}, ensure_ascii=False) + "\n")


def read_provenance(source: str) -> dict[str, Any]:
    """Return the provenance of a trace file; empty where it has none."""
    for _, line in read_lines(source):
        try:
            first = json.loads(line)
        except json.JSONDecodeError:
            return {}
        return dict(first.get("provenance", {})) if isinstance(first, dict) else {}
    return {}


def read_trace(source: str) -> Iterator[WindowTrace]:
    """Yield the windows of a trace file; raise `RearankError` with `path:line` if it is none."""
    name = display_name(source)
    found = False
    for number, line in read_lines(source):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if "provenance" in record:
                continue
            yield WindowTrace.from_json(record)
            found = True
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise RearankError(
                f"{name}:{number}: expected a window of a trace, found {line[:60]!r}",
                hint="traces are written by rearank rerank --trace FILE",
            ) from error
    if not found:
        raise RearankError(f"{name}: expected the trace of a run, found no windows")
