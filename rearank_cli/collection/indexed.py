"""Documents that exist only as the stored text of a Lucene index."""

import hashlib
import json
import subprocess
import sys
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

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of these ids; unknown ids are left out.

        Raises `RearankError` when the index cannot be had or stores no text.
        """
        wanted = list(doc_ids)
        if not wanted:
            return {}
        done = subprocess.run(
            [sys.executable, "-m", READER, self.index],
            input="".join(f"{doc_id}\n" for doc_id in wanted),
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        entries = [json.loads(line) for line in done.stdout.splitlines()]
        if entries and "error" in entries[-1]:
            raise RearankError(entries[-1]["error"], entries[-1]["hint"])
        if done.returncode:
            raise RearankError(f"{self.index}: reading passages failed (exit {done.returncode})")
        return {
            entry["_id"]: Passage(entry["_id"], entry["text"], entry["title"]) for entry in entries
        }

    def fingerprint(self) -> str:
        """Return a digest of the index's name."""
        return hashlib.sha256(f"index {self.index}".encode()).hexdigest()
