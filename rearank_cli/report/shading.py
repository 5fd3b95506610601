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
