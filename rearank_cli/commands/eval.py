"""`rearank eval`: measure runs against judgements."""

EXAMPLES = ""


def command() -> None:
    """Measure runs against relevance judgements."""
    raise NotImplementedError
