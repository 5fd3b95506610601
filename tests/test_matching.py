"""A report is about one collection and one reranking: a trace of another is refused by name."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from command import rearank
from reasoner import write_demo
from windows import window

from rearank_cli.collection import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.formats.trec import read_run, write_run
from rearank_cli.records import Passage, Run
from rearank_cli.report.build import build_page
from rearank_cli.report.context import Context
from rearank_cli.report.evaluated import Evaluated
from rearank_cli.report.matching import check_trace
from rearank_cli.report.material import Material
from rearank_cli.report.story import Trace, tell
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.origin import input_digest

STORY = tell("t", [window(0, "abc", "cab", hits="abc")])
TRACE = Trace("t.jsonl", {}, {"q1": STORY})


def runs(**orders: str) -> dict[str, Run]:
    return {label: Run.by_rank({"q1": tuple(order)}, label) for label, order in orders.items()}


def material(made: Mapping[str, Run], **more: object) -> Material:
    values: dict[str, object] = {
        "runs": made,
        "baseline": next(iter(made)) if len(made) > 1 else None,
        "trace": TRACE,
        "context": Context(),
        "evaluated": None,
    }
    return Material(**{**values, **more})  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    "made",
    [
        runs(old="abcd", new="cabd"),
        runs(new="cab"),
        runs(old="abcd", new="ca"),
        runs(other="bca", old="abc", new="cab"),
    ],
)
def test_the_trace_of_these_runs_is_taken(made: Mapping[str, Run]) -> None:
    texts = Context(queries={"q1": "why?"}, passages={d: Passage(d, d) for d in "abc"})
    check_trace(material(made, context=texts), "pets")


@pytest.mark.parametrize(
    ("made", "context", "message"),
    [
        (
            {"new": Run.by_rank({"q7": ("a",)}, "t")},
            Context(),
            "t.jsonl: expected the trace of one of these runs, found queries that none of them "
            "has (q1)",
        ),
        (
            runs(new="bca"),
            Context(),
            "t.jsonl: expected the trace of one of these runs, found another: query q1 has c at "
            "rank 1 in the trace, b in new (1 of 1 query differs)",
        ),
        (
            runs(old="bac", new="cab"),
            Context(),
            "t.jsonl: expected the order that was reranked among these runs, found none: query q1 "
            "has a at rank 1 in the trace's input, b in old (1 of 1 query differs)",
        ),
        (
            runs(new="cab"),
            Context(queries={"q1": "how?"}),
            "t.jsonl: expected a trace of pets, found another query q1: 'why?' in the trace, "
            "'how?' in the collection (1 of 1 query differs)",
        ),
        (
            runs(new="cab"),
            Context(queries={"q2": "how?"}),
            "t.jsonl: expected a trace of pets, found query q1, which is not in it",
        ),
        (
            runs(new="cab"),
            Context(passages={"a": Passage("a", "x")}),
            "t.jsonl: expected a trace of pets, found 2 documents that are not in it (c, b)",
        ),
    ],
)
def test_another_trace_is_refused_by_what_differs(
    made: Mapping[str, Run], context: Context, message: str
) -> None:
    with pytest.raises(RearankError) as caught:
        check_trace(material(made, context=context), "pets")
    assert caught.value.message == message
    assert caught.value.hint


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("matching")
    write_demo(folder)
    return folder


TRACED = ("first-stage.trec", "stand-in.trec", "--trace", "stand-in.trace.jsonl")


def changed(
    files: Path, folder: Path, change: Callable[[str], str], name: str = "stand-in.trace.jsonl"
) -> None:
    """Copy the demo's files with one of them changed."""
    for file in files.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / name).write_text(change((files / name).read_text("utf-8")), "utf-8")


def test_a_trace_of_another_collection_leaves_no_page(files: Path, tmp_path: Path) -> None:
    changed(files, tmp_path, lambda text: text.replace('"query": "', '"query": "other '))
    done = rearank(tmp_path, "report", *TRACED, "-d", "demo", "-o", "r.html")
    assert done.returncode == 2
    assert "expected a trace of demo, found another query q01" in done.stderr
    assert not (tmp_path / "r.html").exists()


def test_explain_refuses_it_too(files: Path, tmp_path: Path) -> None:
    changed(files, tmp_path, lambda text: text.replace('"query": "', '"query": "other '))
    done = rearank(tmp_path, "explain", TRACED[-1], "-q", "q01", "-d", "demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected a trace of demo, found another query q01" in done.stderr


def test_a_trace_of_another_run_leaves_no_page(files: Path, tmp_path: Path) -> None:
    for file in files.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    run = read_run(files / "stand-in.trec")
    first, second, *rest = run.rankings["q05"]
    swapped = Run.by_rank({**run.rankings, "q05": (second, first, *rest)}, "t")
    write_run(tmp_path / "stand-in.trec", swapped)
    done = rearank(tmp_path, "report", *TRACED, "-d", "demo", "-o", "r.html")
    assert done.returncode == 2
    assert f"query q05 has {first} at rank 1 in the trace, {second} in stand-in" in done.stderr
    assert "(1 of 24 queries differs)" in done.stderr
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(("same", "said"), [(True, "is"), (False, "is not")])
def test_the_digest_of_the_input_is_compared(
    files: Path, tmp_path: Path, same: bool, said: str
) -> None:
    from rearank_cli.collection import open_collection

    queries = open_collection("demo").queries()
    run = read_run(files / "first-stage.trec")
    digest = input_digest(
        [Candidates(queries[each], run.rankings[each], {}) for each in run.rankings]
    )
    given = digest if same else "0" * 64

    def put(text: str) -> str:
        first, rest = text.split("\n", 1)
        record = json.loads(first)
        record["provenance"]["input_sha256"] = given
        return json.dumps(record) + "\n" + rest

    changed(files, tmp_path, put)
    done = rearank(tmp_path, "report", *TRACED, "-d", "demo", "-o", "r.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text("utf-8")
    facts = page.split('id="provenance"')[1]
    assert given in facts
    assert f"input_sha256 {said} that of first-stage" in facts


def test_tiles_are_of_the_runs_and_say_no_minus_zero() -> None:
    """The baseline is not what was reranked here: what was before is the baseline's everywhere."""
    made = runs(other="xca", old="abc", new="cab")
    values = {
        "other": {"P@1": {"q1": 0.50001}},
        "old": {"P@1": {"q1": 0.0}},
        "new": {"P@1": {"q1": 0.5}},
    }
    figures = {label: {"P@1": each["P@1"]["q1"]} for label, each in values.items()}
    judged = Context(judgements=Judgements.of({"q1": {"x": 1, "c": 1}}))
    evaluated = Evaluated(("P@1",), figures, values, {}, (), ())
    page = build_page(material(made, context=judged, evaluated=evaluated), 10, [])
    tiles = {tile.name: tile for tile in page.tiles}
    assert tiles["P@1"].note == "was 0.5000, +0.0000"
    assert (tiles["relevant in the top 10"].value, tiles["relevant in the top 10"].note) == (
        "1",
        "was 2",
    )
    assert page.differences[0].rows == (("q1", "+0.0000"),)
    assert "The old orders are old's, which was reranked; values before are other's." in (
        page.left_out
    )


def many(count: int, swing: Callable[[int], float]) -> Material:
    """Return material with two runs beside the baseline, whose best and worst queries differ."""
    ids = [f"q{n}" for n in range(count)]
    rankings = {query_id: ("a", "b") for query_id in ids}
    made = {label: Run.by_rank(rankings, label) for label in ("base", "one", "two")}
    values = {
        "base": {"P@1": dict.fromkeys(ids, 0.5)},
        "one": {"P@1": {query_id: 0.5 + swing(n) for n, query_id in enumerate(ids)}},
        "two": {"P@1": {query_id: 0.5 - swing(n) / 2 for n, query_id in enumerate(reversed(ids))}},
    }
    figures = {label: {"P@1": 0.5} for label in values}
    evaluated = Evaluated(("P@1",), figures, values, {}, (), ())
    return material(made, trace=None, evaluated=evaluated)


def test_charts_by_query_show_every_query_of_every_run() -> None:
    page = build_page(many(225, lambda n: n / 1000), 100, [])
    assert len(page.queries) == 100
    for chart in page.differences:
        assert len(chart.rows) == 225
        assert chart.about == (
            "All 225 queries, sorted by gain. A bar leads to its query where that is among the "
            "100 below."
        )
        assert str(chart.picture).count("<a href=") == 100
        assert str(chart.picture).count("<title>") == 225
    worst = {chart.title.split(": ")[1].split()[0]: chart.rows[-1] for chart in page.differences}
    assert worst["one"] == ("q0", "+0.0000")
    assert worst["two"] == ("q0", "-0.1120")


def test_beyond_2000_queries_each_run_has_its_own_extremes_and_says_so() -> None:
    page = build_page(many(2500, lambda n: (n - 1250) / 2500), 10, [])
    for chart in page.differences:
        assert len(chart.rows) == 2000
        assert "The 2,000 of 2,500 queries that changed most, sorted by gain." in chart.about
        values = [float(value) for _, value in chart.rows]
        assert values == sorted(values, reverse=True)
        assert min(values) < 0 < max(values)


def test_a_chart_of_many_queries_is_wide_enough_for_each() -> None:
    chart = build_page(many(1000, lambda n: n / 1000), 10, []).differences[0]
    found = re.search(r'viewBox="0 0 (\d+) ', str(chart.picture))
    assert found and int(found[1]) >= 3000
