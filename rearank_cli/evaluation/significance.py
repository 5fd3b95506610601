"""Is a difference between two runs more than chance? Tests over paired differences by query.

Two tests, because each has its critics and they usually agree (Smucker, Allan, Carterette, CIKM
2007: the t-test and the randomization test are fit for means of measures over queries). scipy is
imported in the tests alone: it takes longer to load than most evaluations take.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ALPHA = 0.05
EQUAL = 1e-9
"""Values by query that differ by less than this are a tie: it is rounding."""

_SEED = 20070611
_DRAWS = (9_999, 99_999)
_DRAWN_SIGNS = 20_000_000


class Outcomes(NamedTuple):
    """In how many queries the run is better than, worse than, or equal to the baseline."""

    wins: int
    ties: int
    losses: int


def outcomes(differences: Sequence[float]) -> Outcomes:
    """Count wins, ties and losses among differences by query."""
    wins = sum(difference > EQUAL for difference in differences)
    losses = sum(difference < -EQUAL for difference in differences)
    return Outcomes(wins, len(differences) - wins - losses, losses)


def t_test(differences: Sequence[float]) -> float | None:
    """Return the two-sided p-value of the paired t-test (Student 1908).

    None with fewer than two queries, where the test says nothing; 1 where nothing differs.
    """
    values = _settled(differences)
    if len(values) < 2:
        return None
    if not values.any():
        return 1.0
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal differences: p is 0, and it says so
        return float(stats.ttest_1samp(values, 0.0).pvalue)


def randomization_test(differences: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Fisher's paired randomization test on the mean.

    Under the null hypothesis each difference may as well have the other sign. All assignments of
    signs are tried where they are at most 99,999 (up to 16 queries), else 99,999 random ones
    (fewer, at least 9,999, beyond 200 queries) from a fixed seed, and p is (b + 1) / (m + 1)
    (Phipson and Smyth 2010), so that the same files always give the same p.
    """
    values = _settled(differences)
    if len(values) < 2:
        return None
    if not values.any():
        return 1.0
    from scipy import stats

    least, most = _DRAWS
    result = stats.permutation_test(
        (values,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=min(most, max(least, _DRAWN_SIGNS // len(values))),
        batch=max(1, 2_000_000 // len(values)),  # 16 MB of differences at a time
        rng=np.random.default_rng(_SEED),
    )
    return float(result.pvalue)


def cohens_d(differences: Sequence[float]) -> float | None:
    """Return the mean difference in units of the differences' standard deviation.

    This is d for paired samples, d_z (Cohen 1988, section 2.3.5), with n - 1 in the deviation.
    None where it is undefined: fewer than two queries, or equal differences other than 0.
    """
    values = _settled(differences)
    if len(values) < 2:
        return None
    if not values.any():
        return 0.0
    deviation = float(np.std(values, ddof=1))
    return float(values.mean()) / deviation if deviation > EQUAL else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for their number (Holm 1979), in the order given.

    The k-th smallest of m is multiplied by m - k + 1, and none becomes smaller than the one
    before it. None is passed through and does not count.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    floor = 0.0
    for place, (p, index) in enumerate(known):
        floor = max(floor, min(1.0, p * (len(known) - place)))
        corrected[index] = floor
    return corrected


def _settled(differences: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the differences with rounding errors taken for 0."""
    return np.array([0.0 if math.fabs(value) <= EQUAL else value for value in differences])
