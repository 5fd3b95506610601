"""BM25 search over a Lucene index, with Anserini's searcher."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rearank_cli.errors import RearankError
from rearank_cli.log import note, warn
from rearank_cli.lucene import jvm
from rearank_cli.lucene.languages import ENGLISH, analyzer
from rearank_cli.lucene.plain import Hit, PlainSearcher
from rearank_cli.lucene.scores import Ties, falling
from rearank_cli.records import Query, Run

BATCH = 256
BRIEF = 1 << 35
"""Bytes of index times queries; a few seconds of searching."""
ROUNDED = 4
"""Decimals to which Anserini rounds scores."""
MOST_TERMS = 1 << 20
"""Distinct terms that a query may have; Lucene alone stops at 1,024."""


class Rm3(NamedTuple):
    """RM3 query expansion: terms and documents of feedback, weight of the original query."""

    terms: int = 10
    documents: int = 10
    weight: float = 0.5


class Rocchio(NamedTuple):
    """Rocchio query expansion; defaults are Anserini's."""

    terms: int = 10
    documents: int = 10
    alpha: float = 1.0
    beta: float = 0.75


@dataclass(frozen=True)
class Search:
    """What to search for and how; the defaults of BM25 are Anserini's for passages.

    `query_side` weighs the query's terms as BM25 weighs a document's, which long queries need
    (Anserini's -bm25.querySide). `excluded` are doc ids by query id that must not be ranked;
    `exclude_self` drops the document whose id is the query's.
    """

    hits: int = 100
    k1: float = 0.9
    b: float = 0.4
    query_side: bool = False
    expansion: Rm3 | Rocchio | None = None
    language: str = ENGLISH
    exclude_self: bool = False
    excluded: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ties: Ties = Ties.APART
    threads: int = 1
    verbose: bool = False

    @property
    def tag(self) -> str:
        """The name of the run that this makes."""
        ranker = "bm25qs" if self.query_side else "bm25"  # as Pyserini calls them
        return f"{ranker}+{type(self.expansion).__name__.lower()}" if self.expansion else ranker

    def without(self, query_id: str) -> frozenset[str]:
        """Return the doc ids that a query must not find."""
        own = frozenset([query_id]) if self.exclude_self else frozenset()
        return self.excluded.get(query_id, frozenset()) | own


class Finder(Protocol):
    """What looks queries up in an index: `find`, or one that gives them to other machines."""

    def __call__(
        self, index: Path, queries: Sequence[Query], how: Search, brief: bool
    ) -> dict[str, list[Hit]]:
        """Return the hits of each query, best first; a query that finds nothing has none."""
        ...


def find(
    index: Path, queries: Sequence[Query], how: Search, brief: bool = False
) -> dict[str, list[Hit]]:
    """Look queries up in this process, where Java is started if it is not running.

    `brief` says that it will soon be over. Raises `RearankError` when Java does.
    """
    jvm.start(how.threads, how.verbose, brief=brief)
    found: dict[str, list[Hit]] = {}
    with jvm.java_errors(f"searching {index}"):
        searcher = _searcher(index, how)
        for batch in _batches(queries):
            found.update(_search_batch(searcher, batch, how))
        searcher.close()
    return found


def search(
    index: Path,
    queries: Mapping[str, Query],
    how: Search,
    tag: str | None = None,
    finder: Finder = find,
) -> Run:
    """Return the best documents of each query, in the order of the queries.

    A query that is empty or finds nothing is not in the run; that is told once. Scores are
    Anserini's: rounded to four decimals, equal ones told apart by 0.000001 in the order of the
    doc ids; with `Ties.KEEP` they are Lucene's own. How many queries have equal scores is told.
    Raises `RearankError` when Java does.
    """
    asked = [query for query in queries.values() if query.text.strip()]
    _tell("empty queries", [each for each in queries if not queries[each].text.strip()])
    found = finder(index, asked, how, _is_brief(index, queries))
    _tell("queries that found nothing", [query_id for query_id, hits in found.items() if not hits])
    filled = {query_id: hits for query_id, hits in found.items() if hits}
    _tell_ties(filled, how.ties)
    return Run(
        {query_id: tuple(hit.doc_id for hit in hits) for query_id, hits in filled.items()},
        {query_id: _scores(hits, how.ties) for query_id, hits in filled.items()},
        tag or how.tag,
    )


def _scores(hits: Sequence[Hit], ties: Ties) -> tuple[float, ...]:
    if ties is Ties.KEEP:
        return tuple(hit.lucene for hit in hits)
    return falling(hit.score for hit in hits)


def _tell_ties(found: Mapping[str, Sequence[Hit]], ties: Ties) -> None:
    """Say in how many queries scores are equal: other tools order such documents their own way."""
    count = sum(
        any(one.lucene == two.lucene for one, two in pairwise(hits)) for hits in found.values()
    )
    if count and ties is Ties.KEEP:
        note(f"note: equal scores in {count} of {len(found)} queries are kept")
    elif count:
        note(
            f"note: equal scores in {count} of {len(found)} queries were told apart; "
            "`ties=keep` writes them as Lucene has them"
        )


def _is_brief(index: Path, queries: Mapping[str, Query]) -> bool:
    """Tell whether searching ends before Java's optimising compiler has paid for itself."""
    size = sum(path.stat().st_size for path in index.iterdir())
    return size * len(queries) < BRIEF


def _tell(what: str, query_ids: list[str]) -> None:
    if query_ids:
        warn(f"{what}, left out of the run: {len(query_ids)} (first: {query_ids[0]})")


def _searcher(index: Path, how: Search) -> Any:
    jvm.java_class("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(MOST_TERMS)
    searcher = jvm.java_class("io.anserini.search.SimpleSearcher")(str(index))
    if how.language != ENGLISH:
        searcher.set_analyzer(analyzer(how.language))
    searcher.set_bm25(how.k1, how.b)
    if how.expansion is not None:
        _check_vectors(index)
    if isinstance(how.expansion, Rm3):
        searcher.set_rm3(*how.expansion)
    elif isinstance(how.expansion, Rocchio):
        terms, documents, alpha, beta = how.expansion
        # No negative feedback, hence the same counts again and gamma 0.
        searcher.set_rocchio(
            None, terms, documents, terms, documents, alpha, beta, 0.0, False, False
        )
    return searcher


def _check_vectors(index: Path) -> None:
    """Raise `RearankError` unless documents are stored as vectors, which expansion reads."""
    readers = jvm.java_class("io.anserini.index.IndexReaderUtils")
    reader = readers.getReader(str(index))
    try:
        infos = readers.getFieldInfo(reader)
        contents = infos.get("contents")
        # Lucene 10 says hasTermVectors where Lucene 9 said hasVectors.
        asked = "hasTermVectors" if hasattr(contents, "hasTermVectors") else "hasVectors"
        has_vectors = contents is not None and getattr(contents, asked)()
    finally:
        reader.close()
    if not has_vectors:
        raise RearankError(
            f"{index}: expected document vectors for query expansion, found an index without",
            hint="search without `rm3` and `rocchio`, or take an index that stores them",
        )


def _batches(queries: Iterable[Query]) -> Iterator[list[Query]]:
    stream = iter(queries)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _search_batch(searcher: Any, batch: list[Query], how: Search) -> dict[str, list[Hit]]:
    """Search some queries at once, deep enough to fill the ranking after exclusions."""
    without = {query.query_id: how.without(query.query_id) for query in batch}
    depth = how.hits + max(map(len, without.values()))
    # Indexes of Lucene 8 cannot be sorted by doc id; Anserini has its own way with them.
    generator = _generator(searcher, how)
    if how.expansion is None and not searcher.backwardsCompatibilityLucene8:
        found = PlainSearcher(searcher, generator).search(batch, depth, how.threads)
    else:
        found = _anserini_search(searcher, generator, batch, depth, how.threads)
    return {
        query_id: [hit for hit in found[query_id] if hit.doc_id not in unwanted][: how.hits]
        for query_id, unwanted in without.items()
    }


def _generator(searcher: Any, how: Search) -> Any:
    """Return what makes a Lucene query of a text: its words, or its words with BM25's weights."""
    package = "io.anserini.search.query"
    if how.query_side:
        weighing = jvm.java_class(f"{package}.QuerySideBm25QueryGenerator")
        return weighing(how.k1, how.b, searcher.reader)
    return jvm.java_class(f"{package}.BagOfWordsQueryGenerator")()


def _anserini_search(
    searcher: Any, generator: Any, batch: list[Query], depth: int, threads: int
) -> dict[str, list[Hit]]:
    as_list = jvm.java_class("java.util.Arrays").asList
    texts = as_list(*[query.text for query in batch])
    ids = as_list(*[query.query_id for query in batch])
    found = searcher.batch_search(generator, texts, ids, depth, threads)
    return {
        # Its scores are adjusted already; rounding takes the steps between equal ones back.
        query.query_id: [
            Hit(hit.docid, hit.score, round(hit.score, ROUNDED))
            for hit in found.get(query.query_id) or ()
        ]
        for query in batch
    }
