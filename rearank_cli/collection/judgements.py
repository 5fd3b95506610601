"""Relevance judgements, grouped once for everybody who asks."""

from collections.abc import Container, Iterable, Iterator, Mapping

from rearank_cli.records import Qrel, Ranking, Run

EXCLUDED = -100
"""The relevance with which ir_datasets marks BRIGHT's `excluded_ids`: documents that a system must
not return for a query. They are no grades: they are taken out of runs, and no measure sees them."""

RELEVANT = 1
"""The lowest grade that counts as relevant, as in trec_eval."""

Grades = Mapping[str, Mapping[str, int]]
"""Relevance by query id and doc id."""


class Judgements(Mapping[str, Mapping[str, int]]):
    """Grades by query and document, in the order in which they were read.

    A document judged twice for a query keeps its last grade, as in ir_measures; `contradicting`
    counts such grades that differ. Documents with a relevance of -100 are `excluded` and have no
    grade. A query with nothing but excluded documents is there, without grades. `qrels` are the
    judgements as they were read.

    >>> from rearank_cli import Judgements
    >>> judged = Judgements.of({"q1": {"d1": 2, "d2": 0, "d3": -100}})
    >>> judged.grade("q1", "d1"), judged.grade("q1", "d9")
    (2, None)
    >>> judged["q1"], judged.is_excluded("q1", "d3")
    ({'d1': 2, 'd2': 0}, True)
    """

    def __init__(self, qrels: Iterable[Qrel] = ()) -> None:
        """Group judgements: records with the fields `query_id`, `doc_id`, `relevance` first."""
        self.qrels = tuple(qrels)
        self.contradicting = 0
        self._grades: dict[str, dict[str, int]] = {}
        self._excluded: dict[str, set[str]] = {}
        for query_id, doc_id, relevance, *_ in self.qrels:
            grades = self._grades.setdefault(query_id, {})
            if relevance == EXCLUDED:
                self._excluded.setdefault(query_id, set()).add(doc_id)
                continue
            self.contradicting += grades.get(doc_id, relevance) != relevance
            grades[doc_id] = relevance

    @classmethod
    def of(cls, grades: Grades) -> "Judgements":
        """Return the judgements of a mapping by query id and doc id."""
        return cls(
            Qrel(query_id, doc_id, grade)
            for query_id, judged in grades.items()
            for doc_id, grade in judged.items()
        )

    def __getitem__(self, query_id: str) -> Mapping[str, int]:
        """Return the grades of a query by doc id."""
        return self._grades[query_id]

    def __iter__(self) -> Iterator[str]:
        """Yield the query ids."""
        return iter(self._grades)

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self._grades)

    def __repr__(self) -> str:
        """Say how many there are."""
        return f"Judgements({len(self)} queries, {len(self.qrels)} judgements)"

    @property
    def excluded(self) -> dict[str, frozenset[str]]:
        """The excluded doc ids by query id; often none."""
        return {query_id: frozenset(found) for query_id, found in self._excluded.items()}

    def grade(self, query_id: str, doc_id: str) -> int | None:
        """Return a document's relevance to a query; None where nobody judged it."""
        return self._grades.get(query_id, {}).get(doc_id)

    def is_relevant(self, query_id: str, doc_id: str) -> bool:
        """Return whether a document was judged relevant to a query."""
        return (self.grade(query_id, doc_id) or 0) >= RELEVANT

    def is_excluded(self, query_id: str, doc_id: str) -> bool:
        """Return whether a document must not be ranked for a query."""
        return doc_id in self._excluded.get(query_id, ())

    def only(self, query_ids: Container[str]) -> "Judgements":
        """Return the judgements of these queries alone."""
        return Judgements(qrel for qrel in self.qrels if qrel[0] in query_ids)

    def allowed_hits(self, query_id: str, ranking: Ranking) -> Ranking:
        """Return a query's hits without the excluded documents."""
        return tuple(doc for doc in ranking if not self.is_excluded(query_id, doc))

    def allowed(self, run: Run) -> Run:
        """Return a run without the documents that are excluded for their query."""
        if not self._excluded:
            return run
        return run.keeping(lambda query_id, doc_id: not self.is_excluded(query_id, doc_id))
