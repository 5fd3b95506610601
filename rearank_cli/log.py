"""Talk to the person at the terminal: warnings and notes on stderr, never on stdout."""

import sys


def note(text: str) -> None:
    """Print one line of information."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print one warning."""
    note(f"warning: {text}")
