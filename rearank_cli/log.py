"""What the library has to say to people: through `logging`, under the name `rearank_cli`.

Nothing is printed here. A program that wants to hear it configures that logger; the command line
does, and writes notes and warnings to stderr.
"""

import logging

LOGGER = logging.getLogger("rearank_cli")


def note(text: str) -> None:
    """Say one line of information."""
    LOGGER.info("%s", text)


def warn(text: str) -> None:
    """Say one warning."""
    LOGGER.warning("%s", text)
