"""Equal BM25 scores: how many there are is told, and they can be written as Lucene has them."""

from itertools import pairwise
from pathlib import Path

import pytest
from corpora import beir_folder, jsonl, rearank

from rearank_cli.formats.trec import read_run

DOCS = (
    {"_id": "b", "text": "bread oven"},
    {"_id": "a", "text": "bread oven"},
    {"_id": "c", "text": "bread alone in a very long sentence"},
    {"_id": "d e", "text": "cat"},
)
QUERIES = ({"_id": "q1", "text": "bread"}, {"_id": "q2", "text": "cat"})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    corpus = jsonl(tmp_path / "docs.jsonl", DOCS)
    return ("--corpus", str(corpus), "--queries", str(jsonl(tmp_path / "topics", QUERIES)))


def scores(stdout: str, query_id: str) -> list[tuple[str, str]]:
    rows = [line.split() for line in stdout.splitlines()]
    return [(row[2], row[4]) for row in rows if row[0] == query_id]


@pytest.mark.parametrize("expansion", [(), ("--rm3",)])
def test_equal_scores_are_told_apart_and_counted(
    files: tuple[str, ...], cache: Path, expansion: tuple[str, ...]
) -> None:
    done = rearank("retrieve", *files, *expansion, cache=cache)
    (first, one), (second, two), *_ = scores(done.stdout, "q1")
    assert (first, second) == ("a", "b")
    assert float(one) > float(two)
    assert (
        "note: equal scores in 1 of 2 queries were told apart; "
        "--ties keep writes them as Lucene has them" in done.stderr
    )


@pytest.mark.parametrize("expansion", [(), ("--rm3",)])
def test_equal_scores_can_be_kept(
    files: tuple[str, ...], cache: Path, expansion: tuple[str, ...]
) -> None:
    apart = rearank("retrieve", *files, *expansion, cache=cache)
    kept = rearank("retrieve", *files, *expansion, "--ties", "keep", cache=cache)
    (first, one), (second, two), *rest = scores(kept.stdout, "q1")
    assert (first, second) == ("a", "b")
    assert one == two
    assert all(float(score) < float(two) for _, score in rest)
    assert "note: equal scores in 1 of 2 queries are kept" in kept.stderr
    ranks = [[line.split()[:4] for line in each.stdout.splitlines()] for each in (apart, kept)]
    assert ranks[0] == ranks[1]


def test_without_equal_scores_there_is_no_word_of_them(tmp_path: Path, cache: Path) -> None:
    done = rearank("retrieve", beir_folder(tmp_path / "pets"), cache=cache)
    assert "equal" not in done.stderr


def test_scores_kept_of_a_real_collection_differ_only_where_they_are_equal(
    shared: Path, cache: Path, tmp_path: Path
) -> None:
    """Kept scores are Lucene's own; those told apart are within rounding and steps of them."""
    folder = shared / "collections" / "vaswani"
    apart, kept = tmp_path / "apart.trec", tmp_path / "kept.trec"
    rearank("retrieve", folder, "-o", apart, cache=cache)
    done = rearank("retrieve", folder, "--ties", "keep", "-o", kept, cache=cache)
    first, second = read_run(apart), read_run(kept)
    assert first.rankings == second.rankings
    tied = 0
    for query_id, scores in second.scores.items():
        tied += any(a == b for a, b in pairwise(scores))
        assert first.scores[query_id] == pytest.approx(scores, abs=0.0003)
        assert all(
            a > b for a, b in zip(first.scores[query_id], first.scores[query_id][1:], strict=False)
        )
    assert tied
    assert f"equal scores in {tied} of 93 queries are kept" in done.stderr


def test_document_ids_with_spaces_are_told(files: tuple[str, ...], cache: Path) -> None:
    done = rearank("retrieve", *files, cache=cache)
    assert "q2 Q0 d e 1" in done.stdout
    assert (
        "warning: 1 document id holds spaces (d e): rearank reads such a run, "
        "ir_measures and trec_eval do not" in done.stderr
    )
