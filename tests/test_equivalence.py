"""Values against ir_measures reading the same files itself, and against the program trec_eval.

Agreement is to 1e-9 with ir_measures, and to the 4 decimals that trec_eval prints.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import ir_measures
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.eval import trec_eval
from rearank_cli.collection import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.evaluation.evaluate import inquire
from rearank_cli.evaluation.inquiry import Inquiry, Report
from rearank_cli.evaluation.measures import parse_measures
from rearank_cli.formats import trec_fast
from rearank_cli.formats.trec import read_qrels

HEAD = ("nDCG@10", "RR@10", "RR(rel=2)@10", "P@5", "R@100", "AP(rel=2)@100", "Success@5")
WHOLE = ("nDCG@10", "nDCG", "AP", "AP(rel=2)", "RR", "RR@10", "P@5", "Rprec", "Bpref", "R@1000")
MORE = ("Judged@10", "P(judged_only=True)@5", "NumRet", "NumRel", "SetF", "IPrec@0.1", "infAP")
IN_TREC_EVAL = {
    "nDCG@10": ("ndcg_cut.10", "ndcg_cut_10"),
    "nDCG": ("ndcg", "ndcg"),
    "AP": ("map", "map"),
    "RR": ("recip_rank", "recip_rank"),
    "P@5": ("P.5", "P_5"),
    "Rprec": ("Rprec", "Rprec"),
    "Bpref": ("bpref", "bpref"),
    "R@1000": ("recall.1000", "recall_1000"),
}
SHARED = [
    ("runs/dl19.bm25.trec", "qrels/dl19-passage.qrels"),
    ("runs/dl19.splade.trec", "qrels/dl19-passage.qrels"),
    ("runs/dl20.bm25.trec", "qrels/dl20-passage.qrels"),
    ("runs/covid.bm25.trec", "qrels/covid.qrels"),
    *(
        (f"collections/{name}/bm25.trec", f"collections/{name}/qrels.trec")
        for name in ("vaswani", "cacm", "cisi", "med", "cf", "nfcorpus")
    ),
    ("collections/dl19/bm25.order.run", "collections/dl19/qrels.full.trec"),
    ("collections/dl19/spladepp.run", "collections/dl19/qrels.trec"),
]


@pytest.fixture(scope="module", params=["lines", "columns"])
def reader(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both ways of reading a run."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "columns":
            patch.setattr(trec_fast, "LONG", 0)
        yield request.param


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = trec_eval.unpack(tmp_path_factory.mktemp("trec_eval"))
    if found is None:
        pytest.skip("the Anserini jar has no trec_eval for this machine")
    return found


def ours(run: Path, qrels: Path, measures: Sequence[str], **options: Any) -> Report:
    request = Inquiry({"run": str(run)}, parse_measures(measures), **options)
    return inquire(request, Judgements(read_qrels(qrels)))


def assert_as_ir_measures(run: Path, qrels: Path, measures: Sequence[str]) -> None:
    found = ours(run, qrels, measures).evaluations[0]
    theirs = ir_measures.calc(
        [ir_measures.parse_measure(name) for name in measures],
        list(ir_measures.read_trec_qrels(str(qrels))),
        list(ir_measures.read_trec_run(str(run))),
    )
    for measure, value in theirs.aggregated.items():
        assert math.isclose(found.figures[str(measure)], value, rel_tol=1e-9, abs_tol=1e-9), measure
    expected = {(str(m.measure), m.query_id): m.value for m in theirs.per_query}
    values = {(name, q): v for name, by in found.per_query.items() for q, v in by.items()}
    assert values == pytest.approx(expected, rel=1e-9, abs=1e-9)


def assert_as_trec_eval(program: Path, run: Path, qrels: Path, complete: bool) -> None:
    words = [word for word, _ in IN_TREC_EVAL.values()]
    theirs = trec_eval.evaluate(program, qrels, run, words, complete)
    report = ours(run, qrels, list(IN_TREC_EVAL), judged_queries_only=not complete)
    found = report.evaluations[0]
    for name, (_, printed) in IN_TREC_EVAL.items():
        assert found.figures[name] == pytest.approx(theirs[printed, "all"], abs=5.1e-5), name
        for query_id, value in found.per_query[name].items():
            # with -c, trec_eval prints no line for a query that the run lacks
            assert value == pytest.approx(theirs.get((printed, query_id), 0), abs=5.1e-5)


@pytest.mark.parametrize(("run", "qrels"), SHARED)
def test_shared_runs(shared: Path, program: Path, reader: str, run: str, qrels: str) -> None:
    assert_as_ir_measures(shared / run, shared / qrels, HEAD)
    assert_as_ir_measures(shared / run, shared / qrels, (*WHOLE, *MORE))
    assert_as_trec_eval(program, shared / run, shared / qrels, complete=True)


QUERIES = ("q1", "q2", "q3", "q4")
DOCS = tuple(f"d{number}" for number in range(12))
scores = st.one_of(
    st.sampled_from([0.0, 1.0, 1.0, 2.0, -1.0, -3.5, 0.900000001, 0.900000002, 1e38, 3e39, -4e39]),
    st.floats(-1e6, 1e6),
)
runs = st.dictionaries(
    st.tuples(st.sampled_from((*QUERIES, "unjudged")), st.sampled_from(DOCS)), scores, min_size=1
)
# A grade of 0 or more for every query: trec_eval crashes or hangs on others (tested below).
judgements = st.dictionaries(
    st.sampled_from(QUERIES),
    st.dictionaries(st.sampled_from((*DOCS, "absent")), st.integers(-1, 3), min_size=1).filter(
        lambda by: max(by.values()) >= 0
    ),
    min_size=1,
)


def write(
    folder: Path, run: dict[tuple[str, str], float], qrels: dict[str, dict[str, int]]
) -> tuple[Path, Path]:
    lines = [
        f"{query_id} Q0 {doc_id} {rank} {score!r} t\n"
        for rank, ((query_id, doc_id), score) in enumerate(run.items(), 1)
    ]
    (folder / "run").write_text("".join(lines))
    lines = [f"{q} 0 {d} {grade}\n" for q, by in qrels.items() for d, grade in by.items()]
    (folder / "qrels").write_text("".join(lines))
    return folder / "run", folder / "qrels"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generated")


@settings(max_examples=60)
@given(run=runs, qrels=judgements)
def test_generated_runs_as_ir_measures(
    folder: Path,
    reader: str,
    run: dict[tuple[str, str], float],
    qrels: dict[str, dict[str, int]],
) -> None:
    assume({query_id for query_id, _ in run} & qrels.keys())  # else an error, as in trec_eval
    files = write(folder, run, qrels)
    assert_as_ir_measures(*files, HEAD)
    assert_as_ir_measures(*files, ("nDCG@3", "RR@1", "P@1", "Judged@2"))
    assert_as_ir_measures(*files, (*WHOLE, *MORE))


@settings(max_examples=40)
@given(run=runs, qrels=judgements, complete=st.booleans())
def test_generated_runs_as_trec_eval(
    folder: Path,
    program: Path,
    run: dict[tuple[str, str], float],
    qrels: dict[str, dict[str, int]],
    complete: bool,
) -> None:
    assume({query_id for query_id, _ in run} & qrels.keys())
    assert_as_trec_eval(program, *write(folder, run, qrels), complete)


def test_a_document_twice_is_an_error_here_and_in_trec_eval(
    tmp_path: Path, program: Path, reader: str
) -> None:
    run, qrels = write(tmp_path, {("q1", "a"): 2.0, ("q1", "b"): 1.0}, {"q1": {"a": 1}})
    with run.open("a") as handle:
        handle.write("q1 Q0 a 3 0.5 t\n")
    with pytest.raises(RearankError, match="run:3: doc id a is there twice for query q1"):
        ours(run, qrels, HEAD)
    with pytest.raises(CalledProcessError):
        trec_eval.evaluate(program, qrels, run, ["map"])


def test_a_doc_id_with_spaces_is_measured(tmp_path: Path, reader: str) -> None:
    (tmp_path / "run").write_text("q1 Q0 Memory Management_2.txt 1 2 t\nq1 Q0 b 2 1 t\n")
    (tmp_path / "qrels").write_text("q1 0 Memory Management_2.txt 1\n")
    report = ours(tmp_path / "run", tmp_path / "qrels", ("RR@10", "AP"))
    assert report.evaluations[0].figures == {"RR@10": 1.0, "AP": 1.0}


@pytest.mark.parametrize("grade", [-1, -7])
def test_queries_that_crash_trec_eval_count_as_0(tmp_path: Path, program: Path, grade: int) -> None:
    run, qrels = write(
        tmp_path, {("q1", "a"): 2.0, ("q2", "b"): 1.0}, {"q1": {"a": 1}, "q2": {"b": grade}}
    )
    report = ours(run, qrels, ("nDCG@10", "RR@10"))
    assert report.evaluations[0].figures == {"nDCG@10": 0.5, "RR@10": 0.5}


def test_gdeval_does_not_know_doc_ids_with_spaces(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("q1 Q0 two words 1 2 t\n")
    (tmp_path / "qrels").write_text("q1 0 two words 1\n")
    with pytest.raises(RearankError, match=r"one of ERR@10, .* cannot be computed"):
        ours(tmp_path / "run", tmp_path / "qrels", ("ERR@10",))
