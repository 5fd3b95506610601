"""BRIGHT, the benchmark of queries that need reasoning: twelve sets, in the files of its hub page.

Names are `bright/SET`, `bright/SET-long` (whole pages instead of passages) and, for queries
rewritten by a language model, `bright/SET/gpt4_reason` and so on. A folder with the same files
works too: `FOLDER/SET`. Layout (https://huggingface.co/datasets/xlangai/BRIGHT):
`documents/`, `long_documents/` (id, content), `examples/` and `*_reason/` (query, id, gold_ids,
gold_ids_long, excluded_ids), each with one `SET-*.parquet`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rearank_cli.collection.collection import Collection
from rearank_cli.collection.digest import file_digest
from rearank_cli.collection.documents import Documents
from rearank_cli.collection.indexed import IndexedDocuments
from rearank_cli.collection.judgements import EXCLUDED, Judgements
from rearank_cli.collection.matching import matching_index
from rearank_cli.errors import RearankError
from rearank_cli.formats.parquet import read_rows
from rearank_cli.records import Passage, Qrel, Query

WITH_LONG = (
    "biology",
    "earth-science",
    "economics",
    "psychology",
    "robotics",
    "stackoverflow",
    "sustainable-living",
    "pony",
)
SETS = (*WITH_LONG, "leetcode", "aops", "theoremqa-theorems", "theoremqa-questions")
REWRITERS = ("gpt4", "claude-3-opus", "Gemini-1.0", "llama3-70b", "grit")

NAME = re.compile(r"(?P<set>[A-Za-z_-]+?)(?P<long>-long)?(?:/(?P<rewriter>[\w.-]+?)(?:_reason)?)?")


class Variant(NamedTuple):
    """One set, its passages or long pages, its own or rewritten queries."""

    set: str
    long: bool = False
    rewriter: str | None = None

    @property
    def documents(self) -> str:
        """The folder of its documents."""
        return "long_documents" if self.long else "documents"

    @property
    def examples(self) -> str:
        """The folder of its queries."""
        return f"{self.rewriter}_reason" if self.rewriter else "examples"


Finding = Callable[[str, str], list[Path]]
"""From (folder, set) to the Parquet files there."""


def parse_variant(name: str) -> Variant:
    """Return what a name such as `biology-long/gpt4_reason` means.

    Raises `RearankError` that lists the sets or the rewriters.
    """
    found = NAME.fullmatch(name)
    chosen = found["set"].replace("_", "-") if found else ""
    if found is None or chosen not in SETS:
        raise RearankError(f"bright/{name}: expected one of {', '.join(SETS)}, found {name!r}")
    if found["long"] and chosen not in WITH_LONG:
        raise RearankError(f"bright/{name}: expected one of {', '.join(WITH_LONG)} for long pages")
    rewriter = found["rewriter"]
    if rewriter and rewriter not in REWRITERS:
        raise RearankError(
            f"bright/{name}: expected a rewriter of {', '.join(REWRITERS)}, found {rewriter!r}"
        )
    return Variant(chosen, bool(found["long"]), rewriter)


def is_bright(folder: Path) -> bool:
    """Tell whether a folder is laid out like BRIGHT's hub page."""
    return (folder / "examples").is_dir() and (folder / "documents").is_dir()


def open_bright_folder(folder: Path, name: str) -> Collection:
    """Open one set of a local folder in the hub's layout."""

    def place(kind: str, name: str) -> list[Path]:
        stem = name.replace("-", "_")
        found = sorted((folder / kind).glob(f"{stem}-*.parquet"))
        if not found:
            raise RearankError(f"{folder / kind}: expected {stem}-*.parquet, found none")
        return found

    variant = parse_variant(name)
    return _collection(f"{folder}/{name}", variant, place, BrightDocuments(variant, place))


def open_bright(name: str) -> Collection:
    """Open one set from the hub's files, downloaded and checked by ir_datasets when needed.

    Where the documents are not on this machine, their prebuilt index stands in for them.
    """
    variant = parse_variant(name)
    documents: Documents = BrightDocuments(variant, _hub)
    index = matching_index(f"bright/{name}")
    if index and not Path(_hub_file(variant.documents, variant.set).path(force=False)).is_file():
        documents = IndexedDocuments(index)
    return _collection(f"bright/{name}", variant, _hub, documents)


@dataclass(frozen=True)
class BrightDocuments:
    """The passages or the long pages of one set."""

    variant: Variant
    place: Finding

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in file order."""
        files = self.place(self.variant.documents, self.variant.set)
        for entry in read_rows(files, ("id", "content")):
            yield Passage(entry["id"], entry["content"])

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the passages of these ids in one pass."""
        wanted = set(doc_ids)
        return (passage for passage in (self if wanted else ()) if passage.doc_id in wanted)

    def fingerprint(self) -> str:
        """Return a digest of the files' bytes."""
        files = self.place(self.variant.documents, self.variant.set)
        return hashlib.sha256("".join(map(file_digest, files)).encode()).hexdigest()


def _collection(name: str, variant: Variant, place: Finding, documents: Documents) -> Collection:
    gold = "gold_ids_long" if variant.long else "gold_ids"

    def queries() -> dict[str, Query]:
        entries = read_rows(place(variant.examples, variant.set), ("id", "query"))
        return {str(entry["id"]): Query(str(entry["id"]), entry["query"]) for entry in entries}

    def qrels() -> list[Qrel]:
        entries = read_rows(place("examples", variant.set), ("id", gold, "excluded_ids"))
        return [qrel for entry in entries for qrel in _judgements(entry, gold)]

    def excluded() -> dict[str, frozenset[str]]:
        return Judgements(qrels()).excluded

    return Collection(name, documents, queries, qrels, excluded)


def _judgements(entry: dict[str, Any], gold: str) -> Iterator[Qrel]:
    """Yield the gold documents of a query, then the excluded ones; `N/A` stands for none."""
    query_id = str(entry["id"])
    for doc_id in entry[gold]:
        yield Qrel(query_id, doc_id, 1)
    for doc_id in entry["excluded_ids"] or ():
        if doc_id not in (None, "N/A"):
            yield Qrel(query_id, doc_id, EXCLUDED)


def _hub(kind: str, name: str) -> list[Path]:
    from rearank_cli.collection.catalogue import reading

    with reading(f"bright/{name}"):
        return [Path(_hub_file(kind, name).path())]


def _hub_file(kind: str, name: str) -> Any:
    """Return ir_datasets' handle of one file of the hub, which knows its address and MD5."""
    from rearank_cli.collection.catalogue import catalogue

    util = catalogue().util
    files = util.DownloadConfig.context("bright", util.home_path() / "bright")
    keys = {
        "documents": f"{name}/docs",
        "long_documents": f"{name}-long/docs",
        "examples": f"{name}/queries",
    }
    return files[keys.get(kind, f"{name}/{kind}/queries")]
