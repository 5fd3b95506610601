"""The scores of a new run: the method's own, where it has any, and always falling."""

import io
from ctypes import c_float
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedEngine, numbered, query

from rearank_cli.formats.trec import run_lines
from rearank_cli.records import Run
from rearank_cli.reranking.chain import Reranked
from rearank_cli.reranking.reranker import Reranker
from rearank_cli.reranking.scores import scored_run


class Texts:
    name = "tiny"

    def queries(self) -> Any:
        return {"q1": query()}

    def passages(self, doc_ids: set[str]) -> Any:
        return numbered(5)


def test_a_run_has_the_scores_of_a_method_that_scores() -> None:
    engine = ScriptedEngine(lambda prompt: '<answer>{"[1]": 2, "[2]": 7.5, "[3]": 7.5}</answer>')
    run = Run.by_rank({"q1": ("d00", "d01", "d02", "d03", "d04")}, "bm25")
    with Reranker(recipe="groups", engine=engine, depth=3) as reranker:
        new = reranker.rerank(run, Texts())
    assert new.rankings["q1"] == ("d01", "d02", "d00", "d03", "d04")
    # Equal ones are told apart; what the model has not seen follows closely.
    assert new.scores["q1"] == pytest.approx((7.5, 7.5, 2.0, 2.0, 2.0), abs=1e-4)
    assert all(better > worse for better, worse in pairwise(new.scores["q1"]))


def test_a_run_of_orders_is_scored_by_rank() -> None:
    found = [Reranked("q1", ("b", "a"), (), {}), Reranked("q2", ("c",), (), {"c": -0.5})]
    assert scored_run(found, "t").scores == {"q1": (2.0, 1.0), "q2": (-0.5,)}


@given(st.lists(st.floats(-1e6, 1e6) | st.floats(-1, 1), min_size=1, max_size=300))
def test_scores_as_written_fall_strictly_even_as_32_bit_floats(scores: list[float]) -> None:
    named = {f"d{at}": score for at, score in enumerate(sorted(scores, reverse=True))}
    run = scored_run([Reranked("q1", (*named, "behind", "last"), (), named)], "t")
    written = io.StringIO("".join(run_lines(run)))
    read = [c_float(float(line.split()[4])).value for line in written]
    assert all(better > worse for better, worse in pairwise(read))
