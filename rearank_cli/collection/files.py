"""A corpus in one file: JSON lines or tab-separated lines, plain or gzip."""

import os
from collections.abc import Callable, Iterable, Iterator

from rearank_cli.collection.digest import file_digest
from rearank_cli.errors import RearankError
from rearank_cli.files import STDIO, display_name, read_lines
from rearank_cli.records import Passage
from rearank_cli.trec import clip, json_id, json_object, json_text

TEXT_KEYS = ("text", "contents")


class CorpusFile:
    """The documents of one file; every pass reads it from the start and holds one line."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if str(path) == STDIO:
            raise RearankError(
                "--corpus: expected a file, found -",
                hint="documents are read more than once, so they cannot come from a pipe",
            )
        self._path = path

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in file order.

        Raises `RearankError` with `path:line` for a line that is no document, and for a file
        without any.
        """
        name = display_name(self._path)
        parse: Callable[[str, int, str], Passage] | None = None
        for number, line in read_lines(self._path):
            if not line.strip():
                continue
            if parse is None:
                parse = _json_passage if line.lstrip().startswith("{") else _tsv_passage
            yield parse(name, number, line)
        if parse is None:
            raise RearankError(
                f"{name}: expected documents, found no lines",
                hint='a line is: {"_id": "1", "title": "…", "text": "…"}, or doc_id<tab>text',
            )

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of these ids in one pass that stops when all are found."""
        wanted = set(doc_ids)
        found: dict[str, Passage] = {}
        for passage in self if wanted else ():
            if passage.doc_id in wanted:
                found.setdefault(passage.doc_id, passage)
                if len(found) == len(wanted):
                    break
        return found

    def fingerprint(self) -> str:
        """Return the digest of the file's bytes."""
        return file_digest(self._path)


def _json_passage(name: str, number: int, line: str) -> Passage:
    entry = json_object(name, number, line)
    title = entry.get("title") or ""
    if not isinstance(title, str):
        raise RearankError(f"{name}:{number}: expected a text as title, found {title!r}")
    return Passage(
        json_id(name, number, entry), json_text(name, number, entry, TEXT_KEYS).strip(), title
    )


def _tsv_passage(name: str, number: int, line: str) -> Passage:
    doc_id, tab, text = line.partition("\t")
    if not tab or not doc_id.strip():
        raise RearankError(
            f"{name}:{number}: expected doc_id<tab>text or a JSON object, found {clip(line)!r}"
        )
    return Passage(doc_id.strip(), text.strip())
