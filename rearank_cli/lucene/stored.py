"""Passages out of an index's stored text, as a small program of its own.

`python -m rearank_cli.lucene.stored INDEX` reads doc ids from stdin, one a line, and writes a JSON
object for every document found. It runs apart from the caller because the caller may hold vLLM,
which must not share a process with Java. A failure is an object with `error` and `hint`.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.lucene import jvm
from rearank_cli.lucene.prebuilt import resolve_index

TEXT_KEYS = ("text", "contents", "passage", "segment", "body", "content")
TAG = re.compile(r"<[^>]*>")


def stored_passages(index: str, doc_ids: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield id, title and text of the documents that the index has.

    Raises `RearankError` for an index without stored text.
    """
    folder = resolve_index(index)
    jvm.start(1)
    with jvm.java_errors(f"reading {index}"):
        searcher = jvm.java_class("io.anserini.search.SimpleSearcher")(str(folder))
        for doc_id in doc_ids:
            document = searcher.doc(jvm.java_class("java.lang.String")(doc_id))
            if document is None:
                continue
            raw = document.get("raw") or document.get("contents")
            if raw is None:
                raise RearankError(
                    f"{index}: expected stored text, found an index without",
                    hint="take the index that is not 'slim', or give the documents with `corpus`",
                )
            title, text = decode(str(raw))
            yield {"_id": doc_id, "title": title, "text": text}


def decode(raw: str) -> tuple[str, str]:
    """Return (title, text) of a document as Anserini's collections store them.

    Our own indexes and Pyserini's hold JSON under several field names; older document collections
    hold tagged text.
    """
    try:
        entry = json.loads(raw)
    except ValueError:
        return "", " ".join(TAG.sub(" ", raw).split())
    if not isinstance(entry, dict):
        return "", raw
    title = _text(entry.get("title"))
    text = next((_text(entry[key]) for key in TEXT_KEYS if _text(entry.get(key))), "")
    return title, text.removeprefix(f"{title}\n") if title else text


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def main() -> int:
    """Answer the ids on stdin; return the exit code."""
    try:
        for entry in stored_passages(sys.argv[1], (line.rstrip("\n") for line in sys.stdin)):
            sys.stdout.write(json.dumps(entry) + "\n")
    except RearankError as error:
        sys.stdout.write(json.dumps({"error": error.message, "hint": error.hint}) + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
