"""How judgements become shades: the class names that the style sheet gives colours to."""

import math

UNJUDGED, IRRELEVANT = "gu", "g0"
LEVELS = 3


def shade(grade: int | None, highest: int) -> str:
    """Return gu (not judged), g0 (not relevant), or g1 to g3 for grades up to `highest`.

    With more than three grades, neighbours share a shade; with fewer, the strongest are used.
    """
    if grade is None:
        return UNJUDGED
    if grade < 1:
        return IRRELEVANT
    return f"g{max(1, math.ceil(LEVELS * min(grade, highest) / max(highest, 1)))}"


def gain_shade(gain: float) -> str:
    """Return the shade of a word by how likely a passage made it, in nats: l2, l1, none, m1 to m3.

    Half a nat is 1.6 times as likely, 1.5 nats 4.5 times, 3 nats 20 times.
    """
    if gain < 0:
        return "l2" if gain <= -1.5 else "l1" if gain <= -0.5 else ""
    return "m3" if gain >= 3 else "m2" if gain >= 1.5 else "m1" if gain >= 0.5 else ""
