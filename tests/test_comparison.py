"""Runs against a baseline: which queries gained and lost, and what the tests say of it."""

import pytest

from rearank_cli.evaluation.comparison import changes, compare, extremes
from rearank_cli.evaluation.scoring import Evaluation
from rearank_cli.evaluation.significance import EQUAL, cohens_d, holm, randomization_test, t_test


def measured(label: str, **values: list[float]) -> Evaluation:
    """Return an evaluation with these values for the queries q0, q1, …, by measure."""
    by_query = {
        name: {f"q{number}": value for number, value in enumerate(each)}
        for name, each in values.items()
    }
    return Evaluation(
        label, {name: sum(each) / len(each) for name, each in values.items()}, by_query
    )


BASE = measured("base", AP=[0.5, 0.5, 0.5, 0.5], P=[0.1, 0.2, 0.3, 0.4])
ONE = measured("one", AP=[0.6, 0.5, 0.2, 0.9], P=[0.1, 0.3, 0.5, 0.9])
TWO = measured("two", AP=[0.7, 0.8, 0.9, 0.4], P=[0.1, 0.2, 0.3, 0.4])


def test_changes_go_from_the_greatest_gain_to_the_greatest_loss() -> None:
    found = changes(ONE, BASE, "AP")
    assert [change.query_id for change in found] == ["q3", "q0", "q1", "q2"]
    assert (found[0].baseline, found[0].value) == (0.5, 0.9)
    assert [change.difference for change in found] == pytest.approx([0.4, 0.1, 0.0, -0.3])
    assert [each.query_id for each in changes(TWO, BASE, "P")] == ["q0", "q1", "q2", "q3"]


def test_only_queries_that_both_have_are_paired() -> None:
    short = measured("short", AP=[0.6, 0.7])
    for found in (changes(short, BASE, "AP"), changes(BASE, short, "AP")):
        assert sorted(change.query_id for change in found) == ["q0", "q1"]


def test_extremes_are_what_gained_and_lost_most_and_no_ties() -> None:
    found = extremes(ONE, BASE, "AP", 1)
    assert [change.query_id for change in found] == ["q3", "q2"]
    assert [each.query_id for each in extremes(ONE, BASE, "AP", 9)] == ["q3", "q0", "q2"]
    base = measured("base", AP=[0.0, 0.0, 1.0, 1.0, 1.0, 0.0])
    edges = measured("run", AP=[EQUAL, 2 * EQUAL, 1.0 - 2 * EQUAL, 0.2, 0.6, -EQUAL])
    assert [each.query_id for each in extremes(edges, base, "AP", 2)] == ["q1", "q4", "q3"]
    assert [each.query_id for each in extremes(edges, base, "AP", 9)] == ["q1", "q2", "q4", "q3"]


def test_a_comparison_is_of_every_run_by_every_measure_and_holm_covers_the_runs() -> None:
    found = compare([BASE, ONE, TWO], BASE)
    assert [(each.label, each.measure) for each in found] == [
        ("one", "AP"),
        ("one", "P"),
        ("two", "AP"),
        ("two", "P"),
    ]
    first = found[0]
    differences = [[change.difference for change in changes(run, BASE, "AP")] for run in (ONE, TWO)]
    by_t = [t_test(each) for each in differences]
    by_signs = [randomization_test(each) for each in differences]
    assert first.t_test == (by_t[0], holm(by_t)[0])
    assert first.randomization == (by_signs[0], holm(by_signs)[0])
    assert found[2].t_test == (by_t[1], holm(by_t)[1])
    assert found[2].randomization == (by_signs[1], holm(by_signs)[1])
    assert first.cohens_d == cohens_d(differences[0])
    assert (first.outcomes, first.queries) == ((2, 1, 1), 4)
    assert first.difference == pytest.approx(0.05)
    assert found[3].outcomes == (0, 4, 0)
