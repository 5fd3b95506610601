"""A corpus in one file, plain or packed."""

import os
from collections.abc import Iterable, Iterator

from rearank_cli.collection.digest import file_digest
from rearank_cli.collection.offsets import looked_up
from rearank_cli.errors import RearankError
from rearank_cli.formats.documents import parse_documents
from rearank_cli.formats.files import STDIO, display_name, read_lines
from rearank_cli.records import Passage


class CorpusFile:
    """The documents of one file; every pass reads it from the start and holds one line."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Remember the file; raises `RearankError` for a pipe, which can be read once only."""
        if str(path) == STDIO:
            raise RearankError(
                "`corpus`: expected a file, found -",
                hint="documents are read more than once, so they cannot come from a pipe",
            )
        self._path = path

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in file order.

        Raises `RearankError` with `path:line` for what is no document.
        """
        return parse_documents(display_name(self._path), read_lines(self._path))

    def repeated(self) -> RearankError | None:
        """Return the error for the first id that comes twice, with both places; None without one.

        Holds all ids; a document's place is the line where it ends.
        """
        name = display_name(self._path)
        at = 0

        def counted() -> Iterator[tuple[int, str]]:
            nonlocal at
            for number, line in read_lines(self._path):
                at = number
                yield number, line

        seen: dict[str, int] = {}
        for passage in parse_documents(name, counted()):
            first = seen.setdefault(passage.doc_id, at)
            if first != at:
                return RearankError(
                    f"{name}:{at}: doc id {passage.doc_id} is there twice (first at line {first})",
                    hint="remove one of the two documents",
                )
        return None

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the passages of these ids in one pass that stops when all are found.

        From the second use on, those of a long file of JSON lines are read where they stand
        (`offsets`). Of an id that is there twice the first one counts.
        """
        wanted = set(doc_ids)
        for passage in (looked_up(self._path, wanted) if wanted else None) or ():
            wanted.remove(passage.doc_id)
            yield passage
        for passage in self if wanted else ():
            if passage.doc_id in wanted:
                wanted.remove(passage.doc_id)
                yield passage
                if not wanted:
                    return

    def fingerprint(self) -> str:
        """Return the digest of the file's bytes."""
        return file_digest(self._path)
