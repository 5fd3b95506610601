from dataclasses import replace
from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.records import Flaws
from rearank_cli.reranking.trace import TraceFile, WindowTrace, read_provenance, read_trace

TRACE = WindowTrace(
    query_id="q1",
    query="why – warum",
    pass_=2,
    start=0,
    stop=3,
    before=("a", "b c", "d"),
    after=("d", "a", "b c"),
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
    written.add(TRACE)
    written.order([TRACE])
    written.finish()
    assert list(read_trace(str(file))) == [TRACE]
    assert read_provenance(str(file)) == {"model": "m"}


def test_lines_are_there_as_windows_finish_and_in_order_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "run.trace.jsonl"
    written = TraceFile(str(file), {})
    assert not file.exists()
    first, second = replace(TRACE, query_id="q1"), replace(TRACE, query_id="q2")
    written.add(second)
    assert [trace.query_id for trace in read_trace(str(file))] == ["q2"]
    written.add(first)
    assert [trace.query_id for trace in read_trace(str(file))] == ["q2", "q1"]
    written.order([first])
    written.order([second])
    written.finish()
    assert [trace.query_id for trace in read_trace(str(file))] == ["q1", "q2"]
    assert file.read_text().startswith('{"provenance": {}}\n')


def test_a_full_disk_is_told() -> None:
    with pytest.raises(RearankError, match="/dev/full: cannot be written"):
        TraceFile("/dev/full", {}).add(TRACE)


def test_the_field_names_of_the_file() -> None:
    line = TRACE.to_json()
    for name in (
        "query_id",
        "pass",
        "start",
        "stop",
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
