"""Collections, runs and documents of any size, made up; the same every time."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from rearank_cli.collection.collection import Collection
from rearank_cli.records import Passage, Query, Run

WORDS = [f"{word}{number}" for number in range(500) for word in ("river", "stone", "of", "light")]
HITS = 100


def text(seed: int, characters: int) -> str:
    """Return words of so many characters in all, others for each seed."""
    chance = random.Random(seed)
    start = " ".join(chance.choices(WORDS, k=60))
    return (f"{seed} {start} " * (characters // len(start) + 1))[:characters]


class MadeDocuments:
    """Documents that exist only while they are looked up, as a server of documents has them."""

    def __init__(self, characters: int) -> None:
        """Remember how long each is."""
        self._characters = characters

    def __iter__(self) -> Iterator[Passage]:
        """Yield nothing: they are for looking up."""
        return iter(())

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        """Yield a document for every id."""
        for doc_id in doc_ids:
            yield Passage(doc_id, text(int(doc_id[1:]), self._characters))

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        """Return the same all at once, as earlier versions asked for them."""
        return {passage.doc_id: passage for passage in self.lookup(doc_ids)}

    def fingerprint(self) -> str:
        """Return what stands for the content."""
        return f"{self._characters}"


def collection(queries: int, characters: int) -> Collection:
    """Return a collection of so many queries, and documents of so many characters."""
    asked = {f"q{number}": Query(f"q{number}", f"query {number}") for number in range(queries)}
    return Collection("made", MadeDocuments(characters), lambda: asked)


def run_of(queries: int, shared: int = 0) -> Run:
    """Return a run of 100 hits a query, of documents of its own or of `shared` ones."""
    rankings = {}
    for number in range(queries):
        first = number * HITS
        ids = [(first + hit) % shared if shared else first + hit for hit in range(HITS)]
        rankings[f"q{number}"] = tuple(f"d{each}" for each in ids)
    return Run.by_rank(rankings, "made")


def run_file(path: Path, lines: int, hits: int = 1000) -> None:
    """Write a run of so many lines, `hits` for each query."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8") as out:
        for query in range(lines // hits):
            docs = chance.sample(range(1_000_000, 9_841_823), hits)
            out.writelines(
                f"{query + 100000} Q0 {doc} {rank} {30 - rank / 100:.6f} Anserini\n"
                for rank, doc in enumerate(docs, 1)
            )


def corpus_file(path: Path, gigabytes: float) -> int:
    """Write documents as JSON lines, of some 340 bytes each; return how many."""
    body = text(1, 300)
    count = int(gigabytes * 1e9 / 340)
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            out.write(f'{{"_id": "{number}", "title": "", "text": "{number} {body}"}}\n')
    return count
