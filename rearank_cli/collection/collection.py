"""A collection: documents, queries, judgements and exclusions under one name."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from rearank_cli.collection.documents import Documents
from rearank_cli.collection.judgements import Grades, Judgements
from rearank_cli.collection.memory import KeptDocuments
from rearank_cli.errors import MissingPart
from rearank_cli.records import Passage, Qrel, Query

T = TypeVar("T")


@dataclass(frozen=True)
class Collection:
    """Documents, queries and judgements; each part is read only when it is asked for.

    `open_collection` makes one of a name or of files, `Collection.of` one of what is in memory.
    `name` is as the user gave it. Any part may be missing; to ask for it then raises `MissingPart`,
    a `RearankError` that names the parameter which supplies it.

    >>> from rearank_cli import open_collection
    >>> demo = open_collection("demo")
    >>> demo.queries()["q01"].text[:20]
    'An ambulance races p'
    >>> len(demo.judgements())
    24
    """

    name: str = ""
    docs: Documents | None = None
    read_queries: Callable[[], dict[str, Query]] | None = None
    read_qrels: Callable[[], list[Qrel]] | None = None
    read_excluded: Callable[[], dict[str, frozenset[str]]] | None = None

    @classmethod
    def of(
        cls,
        passages: Iterable[Passage] | Mapping[str, str] | None = None,
        queries: Iterable[Query] | Mapping[str, str] | None = None,
        grades: Grades | None = None,
        name: str = "",
    ) -> "Collection":
        """Return a collection of what is in memory.

        `passages` and `queries` are records, or texts by id; `grades` are by query and doc id.

        >>> from rearank_cli import Collection
        >>> pets = Collection.of({"d1": "Cats sleep."}, {"q1": "what do cats do?"})
        >>> pets.passages(["d1", "d2"])
        {'d1': Passage(doc_id='d1', text='Cats sleep.', title='')}
        """
        asked = {each.query_id: each for each in _records(queries, Query)}
        qrels = list(Judgements.of(grades).qrels) if grades is not None else []
        return cls(
            name,
            KeptDocuments(_records(passages, Passage)) if passages is not None else None,
            (lambda: asked) if queries is not None else None,
            (lambda: qrels) if grades is not None else None,
        )

    def queries(self) -> dict[str, Query]:
        """Return all queries by id, in the collection's order."""
        return self._present(self.read_queries, "queries")()

    def qrels(self) -> list[Qrel]:
        """Return all judgements as they were read."""
        return self._present(self.read_qrels, "qrels")()

    def judgements(self) -> Judgements:
        """Return the judgements by query and document, grouped once."""
        return self._judgements

    def excluded(self) -> dict[str, frozenset[str]]:
        """Return by query id the documents that must not be ranked for it; often none."""
        return self.read_excluded() if self.read_excluded else {}

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of these ids; ids that the collection lacks are left out.

        Memory grows with the ids asked for, not with the collection.
        """
        return {passage.doc_id: passage for passage in self.lookup(doc_ids)}

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the same one at a time, in any order, for those who keep a part of each."""
        return self._documents().lookup(doc_ids)

    def documents(self) -> Iterator[Passage]:
        """Yield every document, in the collection's order, without holding them all."""
        return iter(self._documents())

    def fingerprint(self) -> str:
        """Return a hexadecimal digest that changes when the documents change."""
        return self._documents().fingerprint()

    @cached_property
    def _judgements(self) -> Judgements:
        return Judgements(self.qrels())

    def _documents(self) -> Documents:
        return self._present(self.docs, "corpus")

    def _present(self, part: T | None, parameter: str) -> T:
        if part is None:
            whose = f"{self.name} has no" if self.name else "no"
            raise MissingPart(
                f"{whose} {_NAMES[parameter]}",
                hint=f"name a collection that has them (`collection`), or a file (`{parameter}`)",
            )
        return part


_NAMES = {"corpus": "documents", "queries": "queries", "qrels": "relevance judgements"}


R = TypeVar("R", Passage, Query)


def _records(given: Iterable[R] | Mapping[str, str] | None, kind: type[R]) -> list[R]:
    """Return records as they are, and texts by id as records."""
    if isinstance(given, Mapping):
        return [kind(name, text) for name, text in given.items()]
    return list(given or ())
