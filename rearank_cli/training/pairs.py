"""Pairs of a query and its passage without judgements, as a collection that can be searched."""

from collections.abc import Iterator

from rearank_cli.collection import Collection
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name, read_lines
from rearank_cli.formats.jsonl import clip, json_object, json_text
from rearank_cli.records import Passage, Query, Run

_QUERY, _PASSAGE, _TITLE = ("query",), ("passage", "text"), "title"


def read_pairs(path: str) -> Collection:
    """Return the pairs of a file as a collection: each query's own passage is its relevant one.

    A line is a JSON object with `query`, `passage` and maybe `title`, or query, tab, passage. Ids
    are the numbers of lines; passages with the same text are one document, under the first's.
    Raises `RearankError` with `path:line` for anything else, and for no pair at all.
    """
    queries: list[Query] = []
    passages: dict[tuple[str, str], Passage] = {}
    grades: dict[str, dict[str, int]] = {}
    for number, query, title, text in _pairs(path):
        passage = passages.setdefault((title, text), Passage(str(number), text, title))
        queries.append(Query(str(number), query))
        grades[str(number)] = {passage.doc_id: 1}
    if not queries:
        raise RearankError(f"{display_name(path)}: expected pairs of query and passage, found none")
    return Collection.of(passages.values(), queries, grades)


def _pairs(path: str) -> Iterator[tuple[int, str, str, str]]:
    name = display_name(path)
    for number, line in read_lines(path):
        if not line.strip():
            continue
        if line.lstrip().startswith("{"):
            entry = json_object(name, number, line)
            query = json_text(name, number, entry, _QUERY)
            text = json_text(name, number, entry, _PASSAGE)
            title = str(entry.get(_TITLE) or "")
        else:
            query, _, text = line.partition("\t")
            title = ""
        if not query.strip() or not text.strip():
            raise RearankError(
                f"{name}:{number}: expected a query and a passage, found {clip(line)!r}",
                hint="a JSON object with query and passage, or two columns with a tab between",
            )
        yield number, query.strip(), title.strip(), text.strip()


def search_pairs(collection: Collection, depth: int) -> Run:
    """Return BM25's first hits for every pair's query, its own passage among them as a rule."""
    from rearank_cli.lucene.search import search

    return search(collection, depth + 1)
