"""Judgements are grouped once, by one convention, for everybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.collection import Collection, Judgements
from rearank_cli.errors import MissingPart
from rearank_cli.records import Passage, Qrel, Query, Run

QRELS = [
    Qrel("q1", "a", 1),
    Qrel("q2", "x", -100),
    Qrel("q1", "a", 2),
    Qrel("q1", "b", -100),
    Qrel("q1", "c", 0),
]


def test_grades_exclusions_and_contradictions() -> None:
    judged = Judgements(QRELS)
    assert judged == {"q1": {"a": 2, "c": 0}, "q2": {}}
    assert judged.excluded == {"q1": {"b"}, "q2": {"x"}}
    assert judged.contradicting == 1
    assert judged.qrels == tuple(QRELS)
    assert (judged.grade("q1", "b"), judged.grade("q9", "a")) == (None, None)
    assert [judged.is_relevant("q1", doc_id) for doc_id in "abc"] == [True, False, False]
    assert repr(judged) == "Judgements(2 queries, 5 judgements)"


def test_a_run_without_what_is_excluded() -> None:
    judged = Judgements(QRELS)
    run = Run({"q1": ("b", "a", "x"), "q3": ("b",)}, {"q1": (3.0, 2.0, 1.0), "q3": (1.0,)}, "t")
    assert judged.allowed(run) == Run(
        {"q1": ("a", "x"), "q3": ("b",)}, {"q1": (2.0, 1.0), "q3": (1.0,)}, "t"
    )
    assert judged.allowed_hits("q1", ("b", "a", "x")) == ("a", "x")


def test_those_of_some_queries_alone() -> None:
    only = Judgements(QRELS).only({"q2"})
    assert only == {"q2": {}}
    assert only.excluded == {"q2": {"x"}}
    assert only.contradicting == 0


IDS = st.sampled_from("abcd")


@given(st.lists(st.builds(Qrel, IDS, IDS, st.sampled_from([-100, -1, 0, 1, 3]))))
def test_every_judgement_is_a_grade_or_an_exclusion(qrels: list[Qrel]) -> None:
    judged = Judgements(qrels)
    assert list(judged) == list(dict.fromkeys(qrel.query_id for qrel in qrels))
    last = {(query, doc): grade for query, doc, grade in qrels if grade != -100}
    found = {(query, doc): grade for query in judged for doc, grade in judged[query].items()}
    assert found == last
    assert {(q, d) for q, docs in judged.excluded.items() for d in docs} == {
        (query, doc) for query, doc, grade in qrels if grade == -100
    }


def test_a_collection_in_memory() -> None:
    made = Collection.of([Passage("d1", "text", "T")], {"q1": "why?"}, {"q1": {"d1": 1}}, "mine")
    assert made.queries() == {"q1": Query("q1", "why?")}
    assert made.passages(["d1", "d9"]) == {"d1": Passage("d1", "text", "T")}
    assert made.judgements() is made.judgements()
    assert made.fingerprint() == Collection.of([Passage("d1", "text", "T")]).fingerprint()
    moved = Collection.of([Passage("d1", "t", "extT")])
    assert made.fingerprint() != moved.fingerprint()
    with pytest.raises(MissingPart, match="no relevance judgements"):
        moved.judgements()
