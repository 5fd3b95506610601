"""What is known beside runs and traces: the passages' texts and the judgements, where given."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rearank_cli.collection import Collection
from rearank_cli.errors import MissingPart
from rearank_cli.log import warn
from rearank_cli.records import Passage, Qrel
from rearank_cli.report.reasoning import one_line

T = TypeVar("T")

RELEVANT = 1
"""The lowest relevance that counts as relevant, as in trec_eval."""


@dataclass(frozen=True)
class Context:
    """Passages by doc id, judgements as read and by query; all may be empty."""

    passages: Mapping[str, Passage] = field(default_factory=dict)
    qrels: tuple[Qrel, ...] = ()
    grades: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)

    def grade(self, query_id: str, doc_id: str) -> int | None:
        """Return a document's relevance to a query; None where nobody judged it."""
        return self.grades.get(query_id, {}).get(doc_id)

    def is_relevant(self, query_id: str, doc_id: str) -> bool:
        """Return whether a document was judged relevant to a query."""
        return (self.grade(query_id, doc_id) or 0) >= RELEVANT

    def of_asked_queries(self) -> "Context":
        """Return the same without the judgements of queries that the collection does not ask."""
        return replace(
            self,
            qrels=tuple(qrel for qrel in self.qrels if qrel.query_id in self.queries),
            grades={each: self.grades[each] for each in self.grades if each in self.queries},
        )

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
    qrels = tuple(_or_none(collection.qrels) or ())
    queries = _or_none(collection.queries) or {}
    grades: dict[str, dict[str, int]] = {}
    for qrel in qrels:
        grades.setdefault(qrel.query_id, {})[qrel.doc_id] = qrel.relevance
    missing = len(wanted) - len(passages)
    if passages and missing:
        warn(f"{collection.name or 'the corpus'} lacks {missing} of {len(wanted)} documents")
    texts = {query_id: query.text for query_id, query in queries.items()}
    return Context(passages, qrels, grades, texts)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except MissingPart:
        return None
