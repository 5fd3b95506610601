"""`rearank train`."""

EXAMPLES = ""


def command() -> None:
    """Train."""
