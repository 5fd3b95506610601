"""A collection put together from parts, any of which may be missing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from rearank_cli.collection.sources import Documents
from rearank_cli.errors import MissingPart
from rearank_cli.records import Passage, Qrel, Query

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """A `Collection` whose parts come from different places; each is read when asked for."""

    name: str
    docs: Documents | None = None
    read_queries: Callable[[], dict[str, Query]] | None = None
    read_qrels: Callable[[], list[Qrel]] | None = None
    read_excluded: Callable[[], dict[str, frozenset[str]]] | None = None

    def queries(self) -> dict[str, Query]:
        """Return all queries by id, in the collection's order."""
        return self._present(self.read_queries, "queries")()

    def qrels(self) -> list[Qrel]:
        """Return all judgements."""
        return self._present(self.read_qrels, "qrels")()

    def excluded(self) -> dict[str, frozenset[str]]:
        """Return by query id the documents that must not be ranked for it; often none."""
        return self.read_excluded() if self.read_excluded else {}

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of these ids; unknown ids are left out."""
        return self._documents().passages(doc_ids)

    def documents(self) -> Iterator[Passage]:
        """Yield every document, one at a time."""
        return iter(self._documents())

    def fingerprint(self) -> str:
        """Return a digest of the documents."""
        return self._documents().fingerprint()

    def _documents(self) -> Documents:
        return self._present(self.docs, "corpus")

    def _present(self, part: T | None, parameter: str) -> T:
        if part is None:
            whose = f"{self.name} has no" if self.name else "no"
            raise MissingPart(
                f"{whose} {_PARTS[parameter]}",
                hint=f"name a collection that has them (`collection`), or a file (`{parameter}`)",
            )
        return part


_PARTS = {"corpus": "documents", "queries": "queries", "qrels": "relevance judgements"}
