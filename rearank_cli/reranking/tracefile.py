"""Writing a trace: lines as stages are done, in order and in place at the end."""

import io
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason, write_text
from rearank_cli.reranking.trace import VERSION, AskTrace

PARTIAL = ".partial"


class TraceFile:
    """A trace that is written beside its place and put there, in order, by `finish`.

    Until then the lines stand in `partial`, in the order in which stages were done, so that after
    a kill it is a valid trace of what was done, and a trace that was there before is as it was.
    Nothing is written before the first stage is done; without a path nothing is written at all. A
    pipe or device gets the lines as they come. Raises `RearankError` when a file cannot be
    written.
    """

    def __init__(self, path: str | None, provenance: Mapping[str, Any]) -> None:
        """Remember where to write, and what the first line says."""
        self._path = path
        self._direct = bool(path) and Path(path or "").exists() and not Path(path or "").is_file()
        self._provenance = provenance
        self._handle: io.FileIO | None = None
        self._end = 0
        # By query: start and length of each line in turns. Lines wait for their turn on disk.
        self._places: dict[str, array[int]] = {}

    @property
    def partial(self) -> str:
        """Where the lines are until the trace is complete; empty where nothing was written."""
        if not self._path or not self._handle:
            return ""
        return self._path if self._direct else self._path + PARTIAL

    def add(self, traces: Iterable[AskTrace]) -> None:
        """Write the lines of a query's stage; its stages come in order."""
        for trace in traces if self._path else ():
            if self._handle is None:
                self._begin()
            self._places.setdefault(trace.query_id, array("Q")).extend(self._write(trace.to_json()))

    def _begin(self) -> None:
        assert self._path, "there is a place to write to"
        name = self._path if self._direct else self._path + PARTIAL
        with _told(name):
            self._handle = io.FileIO(name, "w")
        self._write(_header(self._provenance))

    def _write(self, line: str) -> tuple[int, int]:
        data = (line + "\n").encode("utf-8", "replace")
        assert self._handle, "the file is open"
        with _told(self.partial):
            written = 0
            while written < len(data):
                written += self._handle.write(data[written:])
        place = (self._end, len(data))
        self._end += len(data)
        return place

    def finish(self, query_ids: Sequence[str], provenance: Mapping[str, Any] | None = None) -> None:
        """Put the trace in its place, with the queries in this order.

        `provenance` says what the first line says in the end; what is known by then may be more.
        """
        if not self._path:
            return
        self._provenance = self._provenance if provenance is None else provenance
        if self._handle is None and not self._direct:
            with write_text(self._path) as new:
                new.write(_header(self._provenance) + "\n")
            return
        if self._handle is None or self._direct:
            return
        partial = Path(self.partial)
        self._handle.close()
        with partial.open("rb") as old, write_text(self._path) as new:
            new.write(_header(self._provenance) + "\n")
            for query_id in query_ids:
                places = self._places.get(query_id, ())
                for start, length in zip(places[::2], places[1::2], strict=True):
                    old.seek(start)
                    new.write(old.read(length).decode("utf-8"))
        partial.unlink()

    def close(self) -> None:
        """Let go of the file; what was written stays in `partial` unless it was finished."""
        if self._handle is not None:
            self._handle.close()


def _header(provenance: Mapping[str, Any]) -> str:
    return json.dumps({"provenance": provenance, "trace": VERSION}, ensure_ascii=False)


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RearankError(f"{path}: cannot be written: {reason(error)}") from error
