"""What a collection is, whatever it is made of."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from rearank_cli.records import Passage, Qrel, Query


class Collection(Protocol):
    """Documents, queries and judgements; each part is read only when it is asked for.

    A part that the collection lacks raises `RearankError` naming the option that supplies it.
    """

    @property
    def name(self) -> str:
        """The name as the user gave it."""
        ...

    def queries(self) -> dict[str, Query]:
        """Return all queries by id, in the collection's order."""
        ...

    def qrels(self) -> list[Qrel]:
        """Return all judgements."""
        ...

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages of these doc ids; ids that the collection lacks are left out.

        Memory grows with the ids asked for, not with the collection.
        """
        ...

    def documents(self) -> Iterator[Passage]:
        """Yield every document, in the collection's order, without holding them all."""
        ...

    def fingerprint(self) -> str:
        """Return a short hexadecimal digest that changes when the documents change."""
        ...
