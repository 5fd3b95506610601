"""Documents that can be read through, looked up, and told apart by content."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from rearank_cli.records import Passage


class Documents(Protocol):
    """The documents of a collection, wherever they are kept."""

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in its order."""
        ...

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the passages of these ids, one at a time, in any order; unknown ones are left out.

        Where the documents have an id twice, both may come.
        """
        ...

    def fingerprint(self) -> str:
        """Return a hexadecimal digest of the content."""
        ...
