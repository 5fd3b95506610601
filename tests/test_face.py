"""What a program gives to evaluate, fuse and search, and what it gets."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from rearank_cli import Collection, Judgements, Qrel, Run, evaluate, fuse, search, write_run
from rearank_cli.engines.vllm import check_no_java
from rearank_cli.errors import EngineStartError, RearankError

GRADES = {"q1": {"a": 1, "x": -100}, "q2": {"b": 1}}
FIRST = Run.by_rank({"q1": ("x", "a", "b"), "q2": ("b",)}, "first")
OTHER = Run.by_rank({"q1": ("b", "a"), "q2": ("a", "b")}, "other")


def test_judgements_in_every_form_give_the_same_figures(tmp_path: Path) -> None:
    qrels = [Qrel(q, d, grade) for q, judged in GRADES.items() for d, grade in judged.items()]
    file = tmp_path / "qrels.txt"
    file.write_text("".join(f"{q} 0 {d} {grade}\n" for q, d, grade in qrels))
    forms = (GRADES, qrels, Judgements(qrels), Collection.of(grades=GRADES), file, str(file))
    for form in forms:
        found = evaluate(FIRST, form, "RR")
        assert found.figures == {"first": {"RR": 1.0}}, form  # x is excluded, so that a is first


def test_runs_in_memory_and_in_files_give_the_same(tmp_path: Path) -> None:
    write_run(tmp_path / "first.trec", FIRST)
    write_run(tmp_path / "other.trec", OTHER)
    files: list[str | Path] = [str(tmp_path / "first.trec"), tmp_path / "other.trec"]
    kept = evaluate([FIRST, OTHER], GRADES, ["RR", "nDCG@10"], baseline=FIRST)
    read = evaluate(files, GRADES, ["RR", "nDCG@10"], baseline=files[0])
    assert kept == read
    assert kept.figures["other"]["RR"] == 0.5
    assert [item.label for item in kept.comparisons] == ["other", "other"]
    assert kept.per_query["other"]["RR"] == {"q1": 0.5, "q2": 0.5}
    assert "| first (baseline) | **1.0000** | **1.0000** |" in repr(kept)


def test_a_baseline_may_be_another_run_and_labels_stay_apart() -> None:
    found = evaluate(OTHER, GRADES, "RR", baseline=FIRST)
    assert (list(found.figures), found.baseline and found.baseline.label) == (
        ["first", "other"],
        "first",
    )
    assert list(evaluate([FIRST, FIRST], GRADES, "RR").figures) == ["first", "first-2"]


def test_fusing_files_and_runs(tmp_path: Path) -> None:
    write_run(tmp_path / "other.trec", OTHER)
    assert fuse([FIRST, tmp_path / "other.trec"]) == fuse([FIRST, OTHER], "rrf")
    assert fuse([FIRST, OTHER], "combsum").tag == "combsum"
    with pytest.raises(RearankError, match="`method` to be rrf or combsum, found 'sum'"):
        fuse([FIRST, OTHER], "sum")


def test_frames_there_and_back() -> None:
    assert Run.from_frame(FIRST.to_frame(), "first") == FIRST
    ours = pd.DataFrame({"query_id": [2, 1, 1], "doc_id": ["b", "d", "c"], "rank": [0, 1, 0]})
    assert Run.from_frame(ours).rankings == {"2": ("b",), "1": ("c", "d")}
    tied = ours.assign(score=[1.0, 5.0, 5.0])
    assert Run.from_frame(tied).rankings["1"] == ("c", "d")
    assert Run.from_frame(tied.drop(columns="rank")).rankings["1"] == ("d", "c")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"docno": None}, "expected a value in every row"),
        ({"docno": "a"}, "expected every document once, found a twice in query q1"),
    ],
)
def test_frames_that_are_no_runs(change: dict[str, object], message: str) -> None:
    with pytest.raises(RearankError, match=message):
        Run.from_frame(FIRST.to_frame().assign(**change))
    with pytest.raises(RearankError, match="expected a column qid or query_id, found query"):
        Run.from_frame(FIRST.to_frame().rename(columns={"qid": "query"})[["query"]])


def test_java_and_vllm_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would end the other, without a word."""
    monkeypatch.setitem(sys.modules, "jnius_config", SimpleNamespace(vm_running=False))
    check_no_java()
    monkeypatch.setitem(sys.modules, "jnius_config", SimpleNamespace(vm_running=True))
    with pytest.raises(EngineStartError, match="Java runs in this process"):
        check_no_java()
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace())
    with pytest.raises(RearankError, match="vLLM is in this process already"):
        search(Collection.of({"d1": "cats"}, {"q1": "cats"}))
