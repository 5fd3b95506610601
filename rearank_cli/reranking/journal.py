"""Rankings in a file as queries are done, from which the run is made in the end."""

import hashlib
import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import beside, reason, write_text
from rearank_cli.formats.trec import run_lines
from rearank_cli.reranking.chain import Reranked
from rearank_cli.reranking.scores import scored_run

ENDING = ".partial.trec"


def journal_file(run: str) -> str | None:
    """Return where finished queries stand until a run is complete: `x.partial.trec` for `x.trec`.

    It is plain text where the run is packed. None for stdout, pipes and devices.
    """
    return beside(run, ENDING)


class Journal:
    """The rankings of a run on their way, each appended as soon as it is there.

    They stand in `path`, in the order in which queries were done; after a kill it is a run of
    these. Whatever an earlier command left there is replaced by the first of them. Without a path
    they stand in a file without a name, so that memory does not grow with the run. Raises
    `RearankError` when they cannot be written.
    """

    def __init__(self, path: str | None, tag: str) -> None:
        """Remember where; nothing is written before the first query is done."""
        self._path = path
        self._tag = tag
        self._handle: IO[bytes] | None = None
        self._numbers: dict[str, int] = {}
        self._starts = array("Q", [0])

    def __len__(self) -> int:
        """Return how many queries are in it."""
        return len(self._numbers)

    @property
    def partial(self) -> str:
        """Where finished queries are, as long as the run is not complete; empty without any."""
        return self._path if self._path and self._handle else ""

    def add(self, result: Reranked) -> None:
        """Append a query's ranking, all its lines at once."""
        lines = run_lines(scored_run([result], self._tag))
        data = "".join(lines).encode("utf-8", "replace")
        try:
            if self._handle is None:
                self._handle = self._begun()
            self._handle.seek(self._starts[-1])
            written = 0
            while written < len(data):
                written += self._handle.write(data[written:])
        except OSError as error:
            where = self._path or tempfile.gettempdir()
            raise RearankError(f"{where}: cannot be written: {reason(error)}") from error
        self._numbers[result.query_id] = len(self._numbers)
        self._starts.append(self._starts[-1] + len(data))

    def _begun(self) -> IO[bytes]:
        """Open the file, unbuffered: what was appended outlives a kill."""
        if self._path is None:
            return tempfile.TemporaryFile(buffering=0)
        return open(self._path, "w+b", buffering=0)  # noqa: SIM115  closed by `close`

    def digest(self, query_ids: Sequence[str]) -> str:
        """Return the SHA-256 of the run with its queries in this order."""
        digest = hashlib.sha256()
        for lines in self._blocks(query_ids):
            digest.update(lines)
        return digest.hexdigest()

    def finish(self, query_ids: Sequence[str], target: str) -> None:
        """Write the run, with its queries in this order, and remove the journal."""
        with write_text(target) as new:
            for lines in self._blocks(query_ids):
                new.write(lines.decode("utf-8"))
        self.close()
        if self._path:
            with suppress(FileNotFoundError):
                os.unlink(self._path)

    def _blocks(self, query_ids: Sequence[str]) -> Iterator[bytes]:
        for query_id in query_ids:
            number = self._numbers[query_id]
            start, stop = self._starts[number], self._starts[number + 1]
            assert self._handle, "a query was added"
            self._handle.seek(start)
            yield self._handle.read(stop - start)

    def close(self) -> None:
        """Let go of the file; a journal that did not become a run stays where it is."""
        if self._handle is not None:
            self._handle.close()
