from dataclasses import replace
from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.records import Flaws
from rearank_cli.reranking.trace import AskTrace, read_provenance, read_trace, reordered, settle
from rearank_cli.reranking.tracefile import TraceFile

TRACE = AskTrace(
    query_id="q1",
    query="why – warum",
    pass_=2,
    stage=4,
    place=1,
    before=("a", "b c", "d"),
    after=("d", "a", "b c"),
    ranks_before=(3, 4, 5),
    ranks_after=(4, 5, 3),
    moved={"e": 9},
    hits=("x", "y"),
    scores=(0.5, -1.0, 2.0),
    reasoning="because\n[3] says so",
    answer="[3] > [9] > [3]",
    flaws=Flaws(missing=(1, 2), repeated=(3,), unknown=(9,), truncated=True),
    finish_reason="length",
    prompt_tokens=10,
    completion_tokens=4,
    seconds=0.25,
    cached=True,
    passage_chars=120,
    shortened=True,
)


def test_a_trace_survives_writing_and_reading(tmp_path: Path) -> None:
    file = tmp_path / "run.trace.jsonl"
    written = TraceFile(str(file), {"model": "m"})
    written.add([TRACE])
    written.finish(["q1"])
    assert list(read_trace(str(file))) == [TRACE]
    assert read_provenance(str(file)) == {"model": "m"}


def test_until_the_end_lines_are_beside_and_the_earlier_trace_is_as_it_was(tmp_path: Path) -> None:
    file, partial = tmp_path / "run.trace.jsonl", tmp_path / "run.trace.jsonl.partial"
    file.write_text("earlier")
    written = TraceFile(str(file), {})
    assert written.partial == ""
    first, second = replace(TRACE, query_id="q1"), replace(TRACE, query_id="q2")
    written.add([second])
    assert written.partial == str(partial)
    assert [trace.query_id for trace in read_trace(str(partial))] == ["q2"]
    written.add([first])
    assert [trace.query_id for trace in read_trace(str(partial))] == ["q2", "q1"]
    assert file.read_text() == "earlier"
    written.finish(["q1", "q2"])
    assert [trace.query_id for trace in read_trace(str(file))] == ["q1", "q2"]
    assert file.read_text().startswith('{"provenance": {}, "trace": 2}\n')
    assert not partial.exists()


def test_a_stage_says_where_its_documents_stand() -> None:
    plain = replace(TRACE, moved={})
    asks = [replace(plain, before=("c", "d"), after=("d", "c")), replace(plain, before=("e",))]
    old, new = tuple("abcde"), tuple("dabce")
    settled = settle(asks, old, new)
    assert [each.ranks_after for each in settled] == [(4, 1), (5,)]
    assert reordered(old, settled) == new


def test_documents_that_a_method_moves_without_asking_are_noted_too() -> None:
    plain = replace(TRACE, before=("c",), after=("c",), moved={})
    old, new = tuple("abcd"), tuple("bacd")
    (settled,) = settle([plain], old, new)
    assert settled.moved == {"b": 1, "a": 2, "d": 4}
    assert reordered(old, [settled]) == new


def test_a_trace_of_an_earlier_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "old.jsonl"
    file.write_text('{"query_id": "q1", "pass": 1, "start": 0, "stop": 2, "before": ["a", "b"]}\n')
    with pytest.raises(RearankError) as caught:
        list(read_trace(str(file)))
    assert caught.value.message.startswith(f"{file}:1: a trace of rearank 0.1")
    assert "rerank again" in caught.value.hint


def test_a_full_disk_is_told() -> None:
    with pytest.raises(RearankError, match="/dev/full: cannot be written"):
        TraceFile("/dev/full", {}).add([TRACE])


def test_the_field_names_of_the_file() -> None:
    line = TRACE.to_json()
    for name in (
        "query_id",
        "pass",
        "stage",
        "ranks_before",
        "ranks_after",
        "before",
        "after",
        "reasoning",
        "answer",
        "flaws",
    ):
        assert f'"{name}": ' in line
    assert "warum" in line


@pytest.mark.parametrize("line", ["not json", "[1]", '{"query_id": "q1"}', '{"pass": 1, "x": 2}'])
def test_a_file_that_is_no_trace_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(TRACE.to_json() + "\n" + line + "\n")
    with pytest.raises(RearankError) as caught:
        list(read_trace(str(file)))
    assert caught.value.message.startswith(f"{file}:2: expected a window of a trace")


def test_a_trace_without_windows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text('{"provenance": {}}\n')
    with pytest.raises(RearankError):
        list(read_trace(str(file)))
