"""The record of every window: what was asked, what the model said, what was understood.

A trace file is JSON lines. The first line is the provenance, `{"provenance": {…}}`; every other
line is one window, in input order of the queries and in the order the windows ran.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name, read_lines, reason, write_text
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


class TraceFile:
    """A trace that is written as windows finish and put in order at the end.

    Until then the file holds whole lines in the order in which the windows happened to finish, so
    that after a kill it is a valid trace of what was done. Nothing is written before the first
    window is done. Without a path nothing is written at all. Raises `RearankError` when the file
    cannot be written.
    """

    def __init__(self, path: str | None, provenance: Mapping[str, Any]) -> None:
        """Remember where to write, and what the first line says."""
        self._path = path
        self._provenance = provenance
        self._handle: io.FileIO | None = None
        self._end = 0
        self._places: dict[int, tuple[int, int]] = {}
        self._order: list[tuple[int, int]] = []

    def add(self, trace: WindowTrace) -> None:
        """Write one window's line; the trace must live until `order` has had it."""
        if not self._path:
            return
        if self._handle is None:
            with _told(self._path):
                self._handle = io.FileIO(self._path, "w")
            self._order.append(self._write(json.dumps({"provenance": self._provenance})))
        self._places[id(trace)] = self._write(trace.to_json())

    def order(self, traces: Sequence[WindowTrace]) -> None:
        """Note that these windows come next in the file's final order."""
        if self._path:
            self._order.extend(self._places.pop(id(trace)) for trace in traces)

    def _write(self, line: str) -> tuple[int, int]:
        data = (line + "\n").encode("utf-8", "replace")
        assert self._path and self._handle, "the file is open"
        with _told(self._path):
            written = 0
            while written < len(data):
                written += self._handle.write(data[written:])
        place = (self._end, len(data))
        self._end += len(data)
        return place

    def finish(self) -> None:
        """Put the lines in their final order, at once."""
        if not self._path or self._handle is None:
            return
        self._handle.close()
        if not Path(self._path).is_file():
            return  # a pipe or device has had its lines
        with Path(self._path).open("rb") as old, write_text(self._path) as new:
            for start, length in self._order:
                old.seek(start)
                new.write(old.read(length).decode("utf-8"))


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RearankError(f"{path}: cannot be written: {reason(error)}") from error


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
