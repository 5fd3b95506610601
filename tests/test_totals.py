from windows import LOWER, UPPER, window

from rearank_cli.records import Flaws
from rearank_cli.report.story import Trace, tell
from rearank_cli.report.totals import Position, flaw_texts, total


def test_totals_of_a_trace() -> None:
    other = [
        window(1, "wxyz", "wxyz", hits="vwxyz", query_id="q2", cached=True, seconds=0.0),
        window(0, "vwxy", "wvxy", stage=2, query_id="q2", flaws=Flaws(missing=(3,), repeated=(1,))),
    ]
    trace = Trace("t", {}, {"q1": tell("t", [LOWER, UPPER]), "q2": tell("t", other)})
    totals = total(trace)
    assert (totals.queries, totals.windows, totals.flawed) == (2, 4, 2)
    assert (totals.cached, totals.asked, totals.seconds) == (1, 3, 6.0)
    assert (totals.prompt_tokens, totals.completion_tokens) == (400, 40)
    assert totals.flaws == {
        "missing": 2,
        "repeated": 1,
        "unknown": 0,
        "truncated": 0,
        "no_answer": 0,
    }
    # bcde to ebcd moves four passages, wxyz to wxyz none; aebc and vwxy each swap two.
    assert totals.places == (
        Position("2-5", 2, 5, 2, 0, 4),
        Position("1-4", 1, 4, 2, 2, 4),
    )


def test_flaws_in_words() -> None:
    flaws = Flaws(missing=(1, 3), repeated=(2,), unknown=(9,), truncated=True, no_answer=True)
    assert flaw_texts(window(0, "ab", "ab", flaws=flaws)) == [
        "missing [1] [3]",
        "repeated [2]",
        "unknown [9]",
        "truncated",
        "no answer",
    ]
    many = Flaws(missing=tuple(range(1, 12)))
    assert flaw_texts(window(0, "ab", "ab", flaws=many)) == [
        "missing [1] [2] [3] [4] [5] [6] [7] [8] and 3 more"
    ]
