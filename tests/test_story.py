from pathlib import Path

import pytest
from windows import LOWER, UPPER, window

from rearank_cli.errors import RearankError
from rearank_cli.report.story import journey, load_trace, ranks, tell


def test_orders_follow_from_the_windows() -> None:
    story = tell("t", [LOWER, UPPER])
    assert ["".join(order) for order in story.orders] == ["abcde", "aebcd", "eabcd"]
    assert story.old == tuple("abcde")
    assert story.new == tuple("eabcd")


def test_a_second_pass_starts_from_the_first_ones_end() -> None:
    again = window(1, "abcd", "dabc", pass_=2, stage=3)
    assert "".join(tell("t", [LOWER, UPPER, again]).new) == "edabc"


def test_a_journey_tells_ranks_and_sentences() -> None:
    first, second = journey(tell("t", [LOWER, UPPER]), "e")
    assert (first.number, first.identifier, first.old_rank, first.new_rank) == (1, 4, 5, 2)
    assert first.sentences == ("[4] fits.",)
    assert (second.number, second.identifier, second.old_rank, second.new_rank) == (2, 2, 2, 1)
    assert second.sentences == ("Passage 2 it is.",)


def test_a_document_that_no_window_showed() -> None:
    with pytest.raises(RearankError, match="no window showed document 'x'"):
        journey(tell("t", [LOWER, UPPER]), "x")


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([UPPER], "some of its windows are missing"),
        ([LOWER, window(0, "axcd", "axcd", stage=2)], "does not continue the ones before it"),
        ([window(0, "ab", "ax", hits="ab")], "does not continue"),
    ],
)
def test_windows_that_contradict(windows: list[object], message: str) -> None:
    with pytest.raises(RearankError, match=message):
        tell("t", windows)  # type: ignore[arg-type]  # a list of windows, some of them wrong


def test_the_query_may_be_left_out_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(each.to_json() + "\n" for each in (LOWER, UPPER)))
    trace = load_trace(str(path))
    assert trace.story(None).query_id == "q1"
    with pytest.raises(RearankError, match="expected a query of this trace, found 'q9'"):
        trace.story("q9")


def test_ranks_count_from_1() -> None:
    assert ranks("ab") == {"a": 1, "b": 2}
