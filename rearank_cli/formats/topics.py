"""Topics files: JSON lines, tab-separated lines, or TREC's own tagged form."""

import html
import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from rearank_cli.errors import RearankError
from rearank_cli.formats.columns import TEXT_NAMES, find_columns, row
from rearank_cli.formats.files import display_name, read_lines
from rearank_cli.formats.jsonl import check_id, clip, json_id, json_object, json_text
from rearank_cli.records import Query

Lines = Iterator[tuple[int, str]]

TEXT_KEYS = ("text", "query", "contents", "title")
FORMS = '{"_id": "1", "text": "…"}, or query_id<tab>text, or TREC <top>…</top>'
TOPIC = re.compile(r"<top(?:ic)?(?:\s[^>]*)?>", re.IGNORECASE)
TOPIC_END = re.compile(r"</top(?:ic)?>", re.IGNORECASE)
NUMBER = re.compile(r"\bnumber\s*=\s*[\"']?([^\"'>\s]+)", re.IGNORECASE)
AROUND = re.compile(r"\s*<(?:\?xml|!|/?(?:topics|xml)\b)", re.IGNORECASE)
TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)[^>]*>")
LABEL = re.compile(r"^\s*(?:number|topic|title|description|narrative)\s*:", re.IGNORECASE)
ALIASES = {"desc": "description", "narr": "narrative", "query": "title"}


def read_queries(source: str | os.PathLike[str], fields: Sequence[str] = ()) -> dict[str, Query]:
    """Read topics by id; `fields` names the ones that make up the text (default: the short one).

    The form is told by the first line. Several fields are joined by a space, e.g. `title` and
    `description` of a TREC topic. Raises `RearankError` with `path:line` for anything else, and
    for an id that comes twice.
    """
    name = display_name(source)
    queries: dict[str, Query] = {}
    for number, query in _parse(name, read_lines(source), tuple(fields)):
        if query.query_id in queries:
            raise RearankError(f"{name}:{number}: query id {query.query_id} is there twice")
        if " " in query.query_id:
            raise RearankError(
                f"{name}:{number}: expected a query id without spaces, found {query.query_id!r}",
                hint="a space ends the query id in every line of a run",
            )
        queries[query.query_id] = query
    if not queries:
        raise RearankError(f"{name}: expected queries, found no lines", hint=f"a line is: {FORMS}")
    return queries


def _parse(name: str, lines: Lines, fields: tuple[str, ...]) -> Iterator[tuple[int, Query]]:
    filled = ((number, line) for number, line in lines if line.strip())
    first = next(filled, None)
    if first is None:
        return iter(())
    start = first[1].lstrip()
    rest = chain([first], filled)
    if start.startswith("{"):
        return _json_queries(name, rest, fields)
    if start.startswith("<"):
        return _trec_queries(name, rest, fields or ("title",))
    if "\t" not in first[1]:
        raise RearankError(
            f"{name}:{first[0]}: expected a topic, found {clip(first[1])!r}",
            hint=f"a line is: {FORMS}",
        )
    return _tsv_queries(name, first, rest, fields)


def _json_queries(name: str, lines: Lines, fields: tuple[str, ...]) -> Iterator[tuple[int, Query]]:
    for number, line in lines:
        entry = json_object(name, number, line)
        texts = [json_text(name, number, entry, (field,)) for field in fields]
        text = " ".join(texts) if fields else json_text(name, number, entry, TEXT_KEYS)
        yield number, Query(json_id(name, number, entry), text.strip())


def _tsv_queries(
    name: str, first: tuple[int, str], lines: Lines, fields: tuple[str, ...]
) -> Iterator[tuple[int, Query]]:
    if len(fields) > 1:
        raise RearankError(
            f"{name}: expected one query field for tab-separated topics, found {len(fields)}"
        )
    columns = find_columns(name, *first, fields or (*TEXT_NAMES, "title"))
    if fields and not columns.header:
        raise RearankError(
            f"{name}:{first[0]}: expected a header that names the column {fields[0]}, "
            f"found {clip(first[1])!r}"
        )
    for number, line in lines:
        if columns.header and number == first[0]:
            continue
        query_id, text, _ = row(name, number, line, columns)
        yield number, Query(query_id, text)


def _trec_queries(name: str, lines: Lines, fields: tuple[str, ...]) -> Iterator[tuple[int, Query]]:
    wanted = [ALIASES.get(field.lower(), field.lower()) for field in fields]
    for number, block in _blocks(name, lines):
        found = _tagged(block)
        attribute = NUMBER.search(block.split(">", 1)[0])
        query_id = attribute[1] if attribute else found.get("num", "").partition("\n")[0]
        missing = [field for field in wanted if field not in found]
        if missing:
            raise RearankError(
                f"{name}:{number}: expected a topic with <{missing[0]}>, "
                f"found the fields {', '.join(found) or 'none'}"
            )
        text = " ".join(found[field] for field in wanted)
        yield number, Query(_bare(check_id(name, number, query_id)), text)


def _blocks(name: str, lines: Lines) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of every topic, from its opening tag to the line that ends it."""
    block: list[str] = []
    begun = 0
    for number, line in lines:
        opening = None if block else TOPIC.search(line)
        if opening:
            begun = number
            block = [line[opening.start() :]]
        elif block:
            block.append(line)
        elif not AROUND.match(line):
            raise RearankError(f"{name}:{number}: expected <top>, found {clip(line)!r}")
        if block and TOPIC_END.search(line):
            yield begun, "\n".join(block)
            block = []
    if block:
        raise RearankError(f"{name}:{begun}: expected </top> at the end of a topic, found none")


def _tagged(block: str) -> dict[str, str]:
    """Return the fields of a topic; a field ends where the next tag stands, closed or not."""
    found: dict[str, str] = {}
    pieces = TAG.split(block)
    for closing, tag, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        field = ALIASES.get(tag.lower(), tag.lower())
        if not closing and field not in found and not TOPIC.match(f"<{tag}>"):
            found[field] = " ".join(html.unescape(LABEL.sub("", text)).split())
    return found


def _bare(query_id: str) -> str:
    """Return a number without its leading zeros: qrels say 51 where TREC's topics say 051."""
    return str(int(query_id)) if query_id.isdecimal() and query_id.isascii() else query_id
