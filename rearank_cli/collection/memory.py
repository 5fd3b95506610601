"""Documents that are in memory."""

import hashlib
from collections.abc import Iterable, Iterator

from rearank_cli.records import Passage


class KeptDocuments:
    """The documents that a program made itself; of an id that comes twice the last one counts."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        """Keep them by id."""
        self._passages = {passage.doc_id: passage for passage in passages}

    def __iter__(self) -> Iterator[Passage]:
        """Yield every document in its order."""
        return iter(self._passages.values())

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield the passages of these ids; unknown ids are left out."""
        return (self._passages[each] for each in doc_ids if each in self._passages)

    def fingerprint(self) -> str:
        """Return a digest of ids, titles and texts."""
        digest = hashlib.sha256()
        for passage in self:
            for part in passage:
                text = part.encode("utf-8", "surrogatepass")
                digest.update(b"%d " % len(text) + text)
        return digest.hexdigest()
