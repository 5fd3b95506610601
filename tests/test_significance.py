from math import atan, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.evaluation.significance import (
    EQUAL,
    cohens_d,
    holm,
    outcomes,
    randomization_test,
    t_test,
)

differences = st.lists(st.integers(-100, 100).map(lambda n: n / 100), min_size=2, max_size=12)
p_values = st.lists(st.none() | st.floats(0, 1), max_size=8)


def test_t_test_by_hand() -> None:
    # mean 2, deviation 1, t = 2 / (1 / sqrt(3)) = 3.4641 with 2 degrees of freedom, for which
    # p = 1 - t / sqrt(t * t + 2) = 1 - sqrt(6 / 7)
    assert t_test([1, 2, 3]) == pytest.approx(1 - (6 / 7) ** 0.5)


def test_randomization_test_tries_all_signs_of_few_queries() -> None:
    # of the 8 sums +-1 +-2 +-3, two are as far from 0 as 6
    assert randomization_test([1, 2, 3]) == 0.25
    # and of +-1 +-1 +-1 -1 +-1: |sum| >= 3 for 2 + 2 * 5 of 32
    assert randomization_test([1, 1, 1, 1, -1]) == pytest.approx(12 / 32)


def test_two_queries_are_enough() -> None:
    # mean .2, deviation .1 * sqrt(2), t = 2 with one degree of freedom: p = 1 - 2 atan(t) / pi
    assert t_test([0.1, 0.3]) == pytest.approx(1 - 2 * atan(2) / pi)
    assert randomization_test([0.1, 0.3]) == 2 / 4


@pytest.mark.parametrize(("queries", "draws"), [(17, 99_999), (300, 20_000_000 // 300)])
def test_randomization_test_draws_as_often_as_it_says(queries: int, draws: int) -> None:
    """p is (b + 1) / (m + 1), with b a whole number."""
    values = [((7 * number) % 11 - 4.8) / 10 for number in range(queries)]
    found = randomization_test(values)
    assert found is not None and 0.001 < found < 0.99
    share = found * (draws + 1)
    assert share == pytest.approx(round(share), abs=1e-6)
    assert found * 10_000 != pytest.approx(round(found * 10_000), abs=1e-9)


def test_randomization_test_of_many_queries_repeats_itself() -> None:
    values = [0.3, -0.1, 0.2, 0.05] * 10
    first = randomization_test(values)
    assert first == randomization_test(values)
    assert first == pytest.approx(t_test(values), abs=0.002)


def test_cohens_d_by_hand() -> None:
    assert cohens_d([1, 2, 3]) == 2.0


def test_nothing_differs() -> None:
    rounding = [0.0, 1e-12, -1e-12]
    assert (t_test(rounding), randomization_test(rounding), cohens_d(rounding)) == (1.0, 1.0, 0.0)
    assert outcomes(rounding) == (0, 3, 0)


def test_every_query_differs_by_the_same() -> None:
    assert t_test([0.5] * 4) == 0.0
    assert randomization_test([0.5] * 4) == 2 / 16
    assert cohens_d([0.5] * 4) is None


@pytest.mark.parametrize("values", [[], [0.5]])
def test_too_few_queries_say_nothing(values: list[float]) -> None:
    assert (t_test(values), randomization_test(values), cohens_d(values)) == (None, None, None)


def test_outcomes_counts_wins_ties_losses() -> None:
    assert outcomes([0.1, 0.2, 0.0, -0.3]) == (2, 1, 1)


def test_holm_by_hand() -> None:
    # sorted: .01 * 3 = .03, .03 * 2 = .06, .04 * 1 = .04, raised to .06
    assert holm([0.01, 0.04, None, 0.03]) == [0.03, 0.06, None, 0.06]
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(p_values)
def test_holm_never_lowers_and_keeps_the_order(p_raw: list[float | None]) -> None:
    pairs = [(p, q) for p, q in zip(p_raw, holm(p_raw), strict=True) if p is not None]
    assert all(q is not None and p <= q <= 1 for p, q in pairs)
    corrected = [q for _, q in sorted(pairs, key=lambda pair: pair[0])]
    assert corrected == sorted(corrected, key=lambda q: q or 0.0)


@given(differences)
def test_tests_do_not_care_which_run_is_the_baseline(values: list[float]) -> None:
    turned = [-value for value in values]
    assert t_test(values) == pytest.approx(t_test(turned))
    assert randomization_test(values) == pytest.approx(randomization_test(turned))
    assert outcomes(values) == outcomes(turned)[::-1]


def test_cohens_d_is_the_mean_in_standard_deviations() -> None:
    assert cohens_d([0.1, 0.2, 0.6]) == pytest.approx(0.3 / 0.07**0.5)
    assert cohens_d([0.0, 0.2]) == pytest.approx(0.1 / 0.02**0.5)
    assert cohens_d([0.5]) is None


def test_a_difference_of_rounding_is_a_tie_up_to_its_edge() -> None:
    assert outcomes([EQUAL, -EQUAL, 0.0]) == (0, 3, 0)
    assert outcomes([2 * EQUAL, -2 * EQUAL]) == (1, 0, 1)
    assert t_test([EQUAL, EQUAL, 0.0]) == randomization_test([EQUAL, EQUAL, 0.0]) == 1.0
