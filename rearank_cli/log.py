"""What the library has to say to people: through `logging`, under the name `rearank_cli`.

Nothing is printed here. A program that wants to hear it configures that logger; the command line
does, and writes notes and warnings to stderr.
"""

import logging

LOGGER = logging.getLogger("rearank_cli")


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 query`, `2 queries`, `1,200 windows`."""
    if count == 1:
        return f"1 {noun}"
    ends = noun.endswith("y") and noun[-2:-1] not in "aeiou"
    return f"{count:,} {noun[:-1]}ies" if ends else f"{count:,} {noun}s"


def note(text: str) -> None:
    """Say one line of information."""
    LOGGER.info("%s", text)


def error(text: str) -> None:
    """Say one line of what failed, which is heard even where nothing else is."""
    LOGGER.error("%s", text)


def warn(text: str) -> None:
    """Say one warning."""
    LOGGER.warning("%s", text)
