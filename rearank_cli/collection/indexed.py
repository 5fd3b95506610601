"""Documents that exist only as the stored text of a Lucene index."""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator

from rearank_cli.errors import RearankError
from rearank_cli.records import Passage

READER = "rearank_cli.lucene.stored"
"""Run as a program, never imported: this process may hold vLLM, and Java must not join it."""


class IndexedDocuments:
    """Passages looked up in an index, which is named or a folder."""

    def __init__(self, index: str) -> None:
        self.index = index

    def __iter__(self) -> Iterator[Passage]:
        """Raise `RearankError`: an index is for looking up."""
        raise RearankError(
            f"{self.index}: expected documents to read through, found an index",
            hint="give the documents themselves with `corpus`",
        )

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the passages of these ids; unknown ids are left out.

        Raises `RearankError` when the index cannot be had or stores no text.
        """
        # A file, since a pipe that both sides wait for would stop them.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as ids:
            ids.writelines(f"{doc_id}\n" for doc_id in doc_ids)
            if not ids.tell():
                return
            ids.seek(0)
            with subprocess.Popen(
                [sys.executable, "-m", READER, self.index],
                stdin=ids,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            ) as reader:
                try:
                    yield from map(_passage, reader.stdout or ())
                    code = reader.wait()
                finally:
                    reader.kill()
        if code:
            raise RearankError(f"{self.index}: reading passages failed (exit {code})")

    def fingerprint(self) -> str:
        """Return a digest of the index's name."""
        return hashlib.sha256(f"index {self.index}".encode()).hexdigest()


def _passage(line: str) -> Passage:
    """Return what a line of the reader says; raise the error that it tells."""
    entry = json.loads(line)
    if "error" in entry:
        raise RearankError(entry["error"], entry["hint"])
    return Passage(entry["_id"], entry["text"], entry["title"])
