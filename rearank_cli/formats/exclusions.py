"""Lists of what is left out: documents of a query, and whole queries."""

import os
from collections.abc import Mapping

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name, read_lines
from rearank_cli.formats.jsonl import clip


def read_exclusions(source: str | os.PathLike[str]) -> dict[str, frozenset[str]]:
    """Read lines of `query_id doc_id`, separated by a tab or spaces; a doc id may hold spaces.

    Raises `RearankError` with `path:line` for a line of one word. An empty file excludes nothing.
    """
    name = display_name(source)
    found: dict[str, set[str]] = {}
    for number, line in read_lines(source):
        fields = line.split("\t", 1) if "\t" in line else line.split(None, 1)
        if not fields:
            continue
        if len(fields) != 2 or not fields[1].strip():
            raise RearankError(
                f"{name}:{number}: expected 2 columns (query_id doc_id), found {clip(line)!r}"
            )
        found.setdefault(fields[0].strip(), set()).add(fields[1].strip())
    return {query_id: frozenset(doc_ids) for query_id, doc_ids in found.items()}


def merged(
    first: Mapping[str, frozenset[str]], second: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Return the exclusions of both."""
    none: frozenset[str] = frozenset()
    query_ids = {*first, *second}
    return {each: first.get(each, none) | second.get(each, none) for each in query_ids}


def read_query_ids(source: str | os.PathLike[str]) -> set[str]:
    """Read the first column of each line, so that topics, runs and judgements do too."""
    return {line.split()[0] for _, line in read_lines(source) if line.strip()}
