import pytest
from windows import LOWER, UPPER

from rearank_cli.collection import Collection, Judgements
from rearank_cli.records import Passage, Run
from rearank_cli.report.build import build_page, choose, flat
from rearank_cli.report.context import Context, gather
from rearank_cli.report.evaluated import Evaluated
from rearank_cli.report.material import Material
from rearank_cli.report.story import Trace, tell

TRACE = Trace("t", {}, {"q1": tell("t", [LOWER, UPPER])})
OLD = Run.by_rank({"q1": tuple("abcdef")}, "old")
NEW = Run.by_rank({"q1": tuple("eabcdf")}, "new")


def material(**more: object) -> Material:
    values: dict[str, object] = {
        "runs": {"old": OLD, "new": NEW},
        "baseline": "old",
        "trace": TRACE,
        "context": Context(),
        "evaluated": None,
    }
    return Material(**{**values, **more})  # type: ignore[arg-type]  # a table of fields


def test_the_traced_run_is_the_one_that_ends_as_the_trace_does() -> None:
    assert material().traced == "new"
    assert material(runs={"new": NEW, "old": OLD}, baseline="new").focus == "new"
    assert material(runs={"old": OLD}).traced is None


def test_a_trace_that_changed_nothing_does_not_belong_to_the_baseline() -> None:
    same = Run.by_rank({"q1": tuple("eabcdf")}, "same")
    assert material(runs={"old": same, "new": NEW}).traced == "new"


def test_without_a_trace_the_last_run_beside_the_baseline_is_shown() -> None:
    assert material(trace=None).focus == "new"
    assert material(trace=None, baseline="new").focus == "old"
    assert material(trace=None, runs={"old": OLD}, baseline=None).focus == "old"


def test_hits_below_the_depth_follow_in_both_orders() -> None:
    assert material().orders("q1") == (tuple("abcdef"), tuple("eabcdf"))


def test_without_trace_and_baseline_there_is_no_old_order() -> None:
    assert material(trace=None, baseline=None).orders("q1") == ((), tuple("eabcdf"))


def test_a_page_without_judgements_has_queries_and_no_figures() -> None:
    page = build_page(material(), 10, [])
    assert page.tables == ()
    assert page.differences == []
    (query,) = page.queries
    assert (query.query_id, query.text, query.flawed) == ("q1", "why?", 1)
    assert [hit.doc_id for hit in query.new] == list("eabcdf")
    assert [hit.moved for hit in query.new] == [4, -1, -1, -1, -1, 0]
    assert query.windows[0].reasoning[0] == ("[4 e]", "gu", "p1-0")


def test_the_summary_counts_relevant_passages() -> None:
    judged = Context(judgements=Judgements.of({"q1": {"e": 2, "b": 1, "x": 3, "c": 0}}))
    (query,) = build_page(material(context=judged), 10, []).queries
    assert query.summary == (
        "Of 2 relevant passages 1 rose and 1 fell; the top 10 holds 2 of them, before it was 2."
    )


def test_the_queries_that_changed_most_are_chosen_and_keep_their_order() -> None:
    rankings = {query: ("a",) for query in ("q1", "q2", "q3")}
    runs = {"old": Run.by_rank(rankings, "o"), "new": Run.by_rank(rankings, "n")}
    values = {
        "old": {"P@1": {"q1": 0.5, "q2": 0.5, "q3": 0.5}},
        "new": {"P@1": {"q1": 0.6, "q2": 0.5, "q3": 0.1}},
    }
    evaluated = Evaluated(("P@1",), {}, values, {}, (), ())
    assert choose(material(runs=runs, trace=None, evaluated=evaluated), 2) == ["q1", "q3"]


def test_nested_provenance_becomes_lines() -> None:
    nested = {"a": {"b": 1, "c": None}, "command": ["rearank", "rerank"], "ok": True}
    assert flat(nested.items()) == [("a.b", "1"), ("command", "rearank rerank"), ("ok", "True")]


def test_what_a_collection_lacks_stays_empty(caplog: pytest.LogCaptureFixture) -> None:
    tiny = Collection.of([Passage("a", "A text.", "T")], name="tiny")
    context = gather(tiny, ["a", "b"])
    assert context.text("a", 50) == "A text."
    assert context.text("b", 50) == ""
    assert context.grade("q1", "a") is None
    assert "tiny lacks 1 of 2 documents" in caplog.text


def test_an_excluded_document_has_no_grade() -> None:
    judged = Judgements.of({"q1": {"a": 2, "b": -100}})
    context = Context(judgements=judged)
    assert (context.grade("q1", "a"), context.grade("q1", "b")) == (2, None)
