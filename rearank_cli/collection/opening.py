"""From what the user typed to a `Collection`."""

from rearank_cli.collection.base import Collection


def open_collection(
    name: str | None = None,
    corpus: str | None = None,
    queries: str | None = None,
    qrels: str | None = None,
) -> Collection:
    """Open a collection by name and replace any of its parts by files."""
    raise NotImplementedError
