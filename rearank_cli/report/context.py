"""What is known beside runs and traces: the passages' texts and the judgements, where given."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rearank_cli.collection import Collection, Judgements
from rearank_cli.errors import MissingPart
from rearank_cli.log import warn
from rearank_cli.records import Passage
from rearank_cli.report.reasoning import one_line

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """Passages by doc id, judgements, queries' texts by id; all may be empty."""

    passages: Mapping[str, Passage] = field(default_factory=dict)
    judgements: Judgements = field(default_factory=Judgements)
    queries: Mapping[str, str] = field(default_factory=dict)

    def grade(self, query_id: str, doc_id: str) -> int | None:
        """Return a document's relevance to a query; None where nobody judged it."""
        return self.judgements.grade(query_id, doc_id)

    def is_relevant(self, query_id: str, doc_id: str) -> bool:
        """Return whether a document was judged relevant to a query."""
        return self.judgements.is_relevant(query_id, doc_id)

    def of_asked_queries(self) -> "Context":
        """Return the same without the judgements of queries that the collection does not ask."""
        return replace(self, judgements=self.judgements.only(self.queries))

    def text(self, doc_id: str, limit: int) -> str:
        """Return a passage without its title on one line, cut at `limit` characters."""
        passage = self.passages.get(doc_id)
        return one_line(passage.text, limit) if passage else ""

    def title(self, doc_id: str, limit: int = 100) -> str:
        """Return a passage's title on one line; empty where it has none."""
        passage = self.passages.get(doc_id)
        return one_line(passage.title, limit) if passage else ""


def gather(collection: Collection | None, doc_ids: Iterable[str]) -> Context:
    """Read from a collection what it has about these documents.

    A part that it lacks is left empty, since there is enough to see without it; raises
    `RearankError` where a part is there and cannot be read.
    """
    if collection is None:
        return Context()
    wanted = list(dict.fromkeys(doc_ids))
    passages = _or_none(lambda: collection.passages(wanted)) or {}
    judgements = _or_none(collection.judgements) or Judgements()
    queries = _or_none(collection.queries) or {}
    missing = len(wanted) - len(passages)
    if passages and missing:
        warn(f"{collection.name or 'the corpus'} lacks {missing} of {len(wanted)} documents")
    texts = {query_id: query.text for query_id, query in queries.items()}
    return Context(passages, judgements, texts)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except MissingPart:
        return None
