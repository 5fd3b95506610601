"""`rearank export`: a collection's judgements, queries or documents, for other tools."""

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rearank_cli.cli.corpora import one_name
from rearank_cli.cli.options import Corpus, Dataset, Output, Qrels, Queries
from rearank_cli.errors import RearankError

if TYPE_CHECKING:
    from rearank_cli.collection import Collection
    from rearank_cli.records import Passage

EXAMPLES = """\b
Examples:
  rearank export qrels demo -o qrels/demo.qrels
  rearank export queries vaswani > vaswani.tsv
  rearank export docs demo --ids wanted.txt --format tsv
  rearank export qrels beir/nfcorpus/test -o qrels/nfcorpus.qrels
"""


class Part(StrEnum):
    """What of a collection is written."""

    QRELS = "qrels"
    QUERIES = "queries"
    DOCS = "docs"


class Form(StrEnum):
    """How queries and documents are written."""

    TSV = "tsv"
    JSONL = "jsonl"


def command(
    context: typer.Context,
    part: Annotated[Part, typer.Argument(metavar="qrels|queries|docs", help="What to write.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[DATASET]", help="Collection: a name, a folder, or 'demo'."),
    ] = None,
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    qrels: Qrels = None,
    ids: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Only these queries or documents: first column of each line."
        ),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", help="Of queries and documents.", show_default="tsv; documents jsonl"
        ),
    ] = None,
    output: Output = "-",
) -> None:
    """Write a collection's judgements as TREC qrels, its queries as TSV, its documents as JSON.

    What is written is what the other commands read: no document is changed or left out.
    """
    from rearank_cli.collection import open_collection
    from rearank_cli.formats.exclusions import read_query_ids
    from rearank_cli.formats.files import check_writable, write_text

    check_writable(output)
    chosen = one_name(context, name, dataset)
    if not any((chosen, corpus, queries, qrels)):
        raise RearankError(
            "expected a collection, found none", hint="rearank export qrels demo, or -d demo"
        )
    collection = open_collection(chosen, corpus, queries, qrels)
    wanted = read_query_ids(ids) if ids else None
    if part is Part.QRELS:
        lines: Iterable[str] = (
            f"{each.query_id} 0 {each.doc_id} {each.relevance}\n"
            for each in collection.qrels()
            if wanted is None or each.query_id in wanted
        )
    elif part is Part.QUERIES:
        rows = ((each.query_id, each.text, "") for each in collection.queries().values())
        lines = _lines(rows, wanted, form or Form.TSV)
    else:
        found = collection.documents() if wanted is None else _looked_up(collection, wanted)
        lines = _lines(((each.doc_id, each.text, each.title) for each in found), wanted, form)
    with write_text(output) as handle:
        handle.writelines(lines)


def _looked_up(collection: "Collection", wanted: set[str]) -> "list[Passage]":
    """Return these documents; raise `RearankError` where the collection lacks one."""
    found = collection.passages(wanted)
    lost = sorted(wanted - found.keys())
    if lost:
        raise RearankError(
            f"--ids: expected documents of {collection.name or 'the collection'}, found "
            f"{len(lost)} that it lacks (first: {lost[0]})"
        )
    return list(found.values())


def _lines(
    rows: Iterable[tuple[str, str, str]], wanted: set[str] | None, form: Form | None
) -> Iterator[str]:
    """Yield a line for each id, text and title."""
    for each, text, title in rows:
        if wanted is not None and each not in wanted:
            continue
        if form is Form.TSV:
            yield f"{each}\t{' '.join(f'{title} {text}'.split())}\n"
        else:
            titled = {"title": title} if title else {}
            yield json.dumps({"_id": each, **titled, "text": text}, ensure_ascii=False) + "\n"
