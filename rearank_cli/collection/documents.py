"""Documents that can be read through, looked up, and told apart by content."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from rearank_cli.records import Passage


class Documents(Protocol):
    """The documents of a collection, wherever they are kept."""

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in its order."""
        ...

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of these ids; unknown ids are left out."""
        ...

    def fingerprint(self) -> str:
        """Return a hexadecimal digest of the content."""
        ...
