"""What is kept of passages: no more than is shown, and nothing of what is shown is lost."""

import tracemalloc
from collections.abc import Iterable, Iterator

from hypothesis import example, given
from hypothesis import strategies as st
from scripted import ScriptedEngine, query

from rearank_cli.collection.collection import Collection
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage, Run
from rearank_cli.reranking.cutting import shortened
from rearank_cli.reranking.reranker import Reranker

PIECES = st.lists(
    st.sampled_from(
        ["a", "word", " ", "  ", "\n", "\x00", "[3]", "<s>", "<|", "é", "漢", "\ud800"]
    ),
    max_size=40,
).map("".join)


@given(PIECES, PIECES, st.integers(1, 60), st.integers(1, 60))
@example("", "a word", 2, 2)
def test_a_shortened_passage_is_shown_as_the_whole_one(
    title: str, text: str, limit: int, cut: int
) -> None:
    cleaner, passage = Cleaner(), Passage("d", text, title)
    kept = shortened(passage, limit)
    cut = min(cut, limit)
    assert cleaner.passage(kept, cut) == cleaner.passage(passage, cut)
    assert min(limit, cleaner.length(kept)) == min(limit, cleaner.length(passage))


class Long:
    """Documents of 100,000 characters, made when they are looked up."""

    def __iter__(self) -> Iterator[Passage]:
        return iter(())

    def lookup(self, doc_ids: Iterable[str]) -> Iterator[Passage]:
        return (Passage(doc_id, f"{doc_id} " + "long words " * 9000) for doc_id in doc_ids)

    def fingerprint(self) -> str:
        return ""


def test_passages_are_cut_as_they_are_loaded() -> None:
    texts = Collection("long", Long(), lambda: {"q1": query()})
    run = Run.by_rank({"q1": tuple(f"d{number}" for number in range(300))}, "t")
    reranker = Reranker(engine=ScriptedEngine(), depth=300)
    tracemalloc.start()
    (item,) = reranker.candidates(run, texts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(item.passages) == 300
    assert peak < 3_000_000  # of 30,000,000
