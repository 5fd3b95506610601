"""Scores that every tool orders alike."""

import struct
from collections.abc import Iterable


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
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _below(score: float) -> float:
    """Return a smaller value with six decimals that is smaller as a 32-bit float, too."""
    step = 0.000001
    while float32(round(score - step, 6)) >= float32(score):
        step *= 2
    return round(score - step, 6)
