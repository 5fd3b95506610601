"""Documents in text form: JSON lines, tab-separated lines, TREC SGML."""

import html
import re
from collections.abc import Iterator
from itertools import chain

from rearank_cli.errors import RearankError
from rearank_cli.formats.columns import TEXT_NAMES, find_columns, row
from rearank_cli.formats.jsonl import check_id, clip, json_id, json_object, json_text, whole
from rearank_cli.records import Passage

Lines = Iterator[tuple[int, str]]

TEXT_KEYS = ("text", "contents")
FORMS = '{"_id": "1", "title": "…", "text": "…"}, or doc_id<tab>text, or TREC <DOC>…</DOC>'
DOC = re.compile(r"<DOC(?:\s[^>]*)?>", re.IGNORECASE)
DOC_END = re.compile(r"</DOC>", re.IGNORECASE)
AROUND = re.compile(r"\s*<(?:\?xml|!|/?(?:docs|collection|xml)\b)", re.IGNORECASE)
DOCNO = re.compile(r"<DOCNO>(.*?)</DOCNO>", re.IGNORECASE | re.DOTALL)
TITLE = re.compile(r"<(TITLE|HEADLINE|HEAD|HL|TTL)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
TEXT = re.compile(r"<(TEXT|LEADPARA|LP)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
TAG = re.compile(r"</?[A-Za-z!][^>]*>")


def parse_documents(name: str, lines: Lines) -> Iterator[Passage]:
    """Return the documents of a file's lines; the first line tells the form.

    Raises `RearankError` with `path:line` for a line that is no document, and for a file without
    any.
    """
    filled = ((number, line) for number, line in lines if line.strip())
    first = next(filled, None)
    if first is None:
        raise RearankError(
            f"{name}: expected documents, found no lines", hint=f"a document is: {FORMS}"
        )
    start = first[1].lstrip()
    rest = chain([first], filled)
    if start.startswith("{"):
        return _json_documents(name, rest)
    if start.startswith("<"):
        return _sgml_documents(name, rest)
    if "\t" not in first[1]:
        raise RearankError(
            f"{name}:{first[0]}: expected a document, found {clip(first[1])!r}",
            hint=f"a document is: {FORMS}",
        )
    return _tsv_documents(name, first, rest)


def _json_documents(name: str, lines: Lines) -> Iterator[Passage]:
    for number, line in lines:
        entry = json_object(name, number, line)
        title = entry.get("title") or ""
        if not isinstance(title, str):
            raise RearankError(f"{name}:{number}: expected a text as title, found {title!r}")
        text = json_text(name, number, entry, TEXT_KEYS)
        yield Passage(json_id(name, number, entry), text.strip(), whole(title).strip())


def _tsv_documents(name: str, first: tuple[int, str], lines: Lines) -> Iterator[Passage]:
    columns = find_columns(name, *first, TEXT_NAMES, tabs=True)
    for number, line in lines:
        if not (columns.header and number == first[0]):
            yield Passage(*row(name, number, line, columns))


def _sgml_documents(name: str, lines: Lines) -> Iterator[Passage]:
    """Yield TREC documents: a headline as title, <TEXT> and lead paragraphs as text.

    A document without such tags is all text.
    """
    for number, block in _blocks(name, lines):
        docno = DOCNO.search(block)
        if docno is None:
            raise RearankError(f"{name}:{number}: expected <DOCNO> in a document, found none")
        body = DOCNO.sub("", block, count=1)
        titles = [found[2] for found in TITLE.finditer(body)]
        texts = [found[2] for found in TEXT.finditer(body)] or [TITLE.sub("", body)]
        yield Passage(
            check_id(name, number, docno[1]), _plain("\n".join(texts)), _plain(" ".join(titles))
        )


def _blocks(name: str, lines: Lines) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of every document, from <DOC> to </DOC>."""
    block: list[str] = []
    begun = 0
    for number, line in lines:
        opening = None if begun else DOC.search(line)
        if opening:
            begun, block = number, [line[opening.end() :]]
        elif begun:
            block.append(line)
        elif not AROUND.match(line):
            raise RearankError(f"{name}:{number}: expected <DOC>, found {clip(line)!r}")
        if begun and DOC_END.search(line):
            yield begun, DOC_END.split("\n".join(block))[0]
            begun = 0
    if begun:
        raise RearankError(f"{name}:{begun}: expected </DOC> at the end of a document, found none")


def _plain(text: str) -> str:
    """Return text without tags and character references, its lines and spaces collapsed."""
    return " ".join(html.unescape(TAG.sub(" ", text)).split())
