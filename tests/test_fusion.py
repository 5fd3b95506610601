from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.errors import RearankError
from rearank_cli.evaluation.fusion import Fusion, fuse, min_max
from rearank_cli.records import Run


def run(**rankings: Sequence[tuple[str, float]]) -> Run:
    return Run(
        {query: tuple(doc for doc, _ in hits) for query, hits in rankings.items()},
        {query: tuple(score for _, score in hits) for query, hits in rankings.items()},
        "t",
    )


A = run(q1=[("a", 10), ("b", 6), ("c", 2)], q2=[("x", 1)])
B = run(q1=[("c", 0.9), ("b", 0.8), ("d", 0.5)], q3=[("y", 1)])


def test_rrf_adds_reciprocal_ranks() -> None:
    # with k = 60: c 1/63 + 1/61 = .032266, b 2/62 = .032258, a 1/61 = .0164, d 1/63 = .0159
    fused = fuse([A, B], Fusion.RRF)
    assert fused.rankings == {"q1": ("c", "b", "a", "d"), "q2": ("x",), "q3": ("y",)}
    assert fused.scores["q1"] == (4.0, 3.0, 2.0, 1.0)


def test_a_fused_run_is_called_by_its_tag_or_by_its_method() -> None:
    assert fuse([A, B]) == fuse([A, B], Fusion.RRF, k=60, tag="rrf")
    assert fuse([A, B], "combsum").tag == "combsum"
    assert fuse([A, B], tag="mine").tag == "mine"


def test_at_most_so_many_documents_of_a_query_are_kept() -> None:
    assert fuse([A, B], depth=2).rankings == {"q1": ("c", "b"), "q2": ("x",), "q3": ("y",)}


def test_a_method_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(RearankError) as caught:
        fuse([A, B], "borda")
    assert caught.value.message == "expected `method` to be rrf or combsum, found 'borda'"


def test_k_of_rrf_weighs_the_top() -> None:
    # with k = 1: c 1/4 + 1/2 = .75, b 2/3 = .67, a 1/2 = .5, d 1/4 = .25; a large k makes all
    # places alike, so that b and c, found twice, come first in any case
    one_top = run(q=[("a", 3), ("b", 2)])
    two_low = run(q=[("z", 3), ("y", 2), ("b", 1)])
    assert fuse([one_top, two_low], Fusion.RRF, k=1).rankings["q"][0] == "b"
    assert fuse([A, B], Fusion.RRF, k=1).rankings["q1"] == ("c", "b", "a", "d")


def test_combsum_adds_scaled_scores() -> None:
    # a 1, b .5 + .75 = 1.25, c 0 + 1 = 1 (tie with a: the first run's order), d 0
    fused = fuse([A, B], Fusion.COMBSUM, depth=3)
    assert fused.rankings["q1"] == ("b", "a", "c")


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([], []), ([5.0], [1.0]), ([3.0, 3.0], [1.0, 1.0]), ([4.0, 1.0, 0.0], [1.0, 0.25, 0.0])],
)
def test_min_max(scores: list[float], expected: list[float]) -> None:
    assert min_max(scores) == expected


rankings = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(st.lists(rankings, min_size=2, max_size=4), st.sampled_from(list(Fusion)))
def test_fusion_keeps_every_document_once(lists: list[list[str]], method: Fusion) -> None:
    runs = [Run.by_rank({"q": tuple(ranking)}, "t") for ranking in lists]
    fused = fuse(runs, method).rankings["q"]
    assert sorted(fused) == sorted(set().union(*lists))


@given(rankings, st.sampled_from(list(Fusion)))
def test_fusing_a_ranking_with_itself_changes_nothing(ranking: list[str], method: Fusion) -> None:
    one = Run.by_rank({"q": tuple(ranking)}, "t")
    assert fuse([one, one, one], method).rankings == one.rankings
