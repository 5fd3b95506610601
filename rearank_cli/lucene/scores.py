"""Scores that every tool orders alike."""

import ctypes
import math
from collections.abc import Iterable
from enum import Enum


class Ties(Enum):
    """What becomes of equal scores: told apart in the order of the ranking, or left equal."""

    APART = "apart"
    KEEP = "keep"


DECIMALS = 6
"""Of a score in a run."""

GAP = 0.0001
STEP = 0.000001


def adjusted(scores: Iterable[float]) -> list[float]:
    """Return falling scores as Anserini's ScoreTiesAdjusterReranker leaves them.

    They are rounded to four decimals. One that is no more than 0.0001 below the one before it
    loses 0.000001 for every such score in a row. All arithmetic is that of 32-bit floats.
    """
    result: list[float] = []
    ties = 0
    gap, step = float32(GAP), float32(STEP)
    for score in scores:
        value = float32(math.floor(float32(score) * 10000 + 0.5) / 10000)
        if not result or float32(result[-1] - value) > gap:
            ties = 0
        else:
            ties += 1
            value = float32(value - float32(step * ties))
        result.append(value)
    return result


def falling(scores: Iterable[float]) -> tuple[float, ...]:
    """Return scores with six decimals that fall strictly, also as 32-bit floats.

    Anserini's gap of 0.000001 between equal scores is lost in a 32-bit float from 16 upwards, so
    there the gap becomes the distance to the next such float.
    """
    result: list[float] = []
    last = float("inf")
    for score in scores:
        value = round(score, 6)
        if float32(value) >= last:
            value = _below(result[-1])
        last = float32(value)
        result.append(value)
    return tuple(result)


def float32(value: float) -> float:
    """Return the 32-bit float nearest to a value."""
    return ctypes.c_float(value).value


def _below(score: float) -> float:
    """Return a smaller value with six decimals that is smaller as a 32-bit float, too."""
    step = STEP
    while float32(round(score - step, 6)) >= float32(score):
        step *= 2
    return round(score - step, 6)
