"""Frames in, frames out; PyTerrier's own checks. No test here starts Java."""

from collections.abc import Iterator
from typing import Any

import pytest
from llm_server import serving
from scripted import ScriptedEngine

pt = pytest.importorskip("pyterrier", reason="needs the extra `pyterrier`")
pd = pytest.importorskip("pandas")

from rearank_cli.pyterrier import Rerank  # noqa: E402  after the check that it can be had


def frame(hits: int = 12, queries: int = 2, **columns: Any) -> Any:
    """Return the worst order: the highest number first."""
    rows = [
        {"qid": f"q{q}", "query": f"what is {q}", "docno": f"d{n:02}", "text": f"passage {n:02}"}
        for q in range(queries)
        for n in reversed(range(hits))
    ]
    return pd.DataFrame(rows).assign(**columns)


@pytest.fixture
def rerank() -> Iterator[Any]:
    transformer = Rerank(engine=ScriptedEngine())
    yield transformer
    transformer.close()


def test_a_frame_comes_back_in_the_new_order_with_scores_and_ranks(rerank: Any) -> None:
    new = rerank(frame())
    for _, rows in new.groupby("qid"):
        assert list(rows["docno"]) == [f"d{n:02}" for n in range(12)]
        assert list(rows["rank"]) == list(range(12))
        assert list(rows["score"]) == [float(12 - n) for n in range(12)]
    assert list(new["qid"].drop_duplicates()) == ["q0", "q1"]
    assert set(new.columns) == {"qid", "query", "docno", "text", "score", "rank"}


def test_rows_count_by_their_rank_and_not_by_their_place(rerank: Any) -> None:
    rows = frame(queries=1)
    shuffled = rows.assign(rank=range(12)).sample(frac=1.0, random_state=1)
    deep = Rerank(engine=rerank.options["engine"], depth=4)
    new = pd.DataFrame(deep(shuffled))
    deep.close()
    assert list(new["docno"][:4]) == ["d08", "d09", "d10", "d11"]
    assert list(new["docno"][4:]) == list(rows["docno"][4:])


def test_columns_that_are_no_concern_of_ours_stay_with_their_rows(rerank: Any) -> None:
    new = rerank(frame(colour="red").assign(mark=lambda rows: rows["docno"] + "!"))
    assert list(new["mark"]) == list(new["docno"] + "!")


def test_an_empty_frame_starts_no_model(rerank: Any) -> None:
    empty = frame().iloc[:0]
    assert list(rerank(empty).columns) == ["qid", "query", "docno", "text", "score", "rank"]
    assert rerank.options["engine"].opened == 0


def test_a_frame_without_texts_is_refused(rerank: Any) -> None:
    with pytest.raises(pt.validate.InputValidationError):
        rerank(frame().drop(columns="text"))


def test_lists_of_rows_are_frames_too(rerank: Any) -> None:
    assert list(pd.DataFrame(rerank(frame(queries=1).to_dict("records")))["docno"])[0] == "d00"


def test_it_stands_in_pipelines_and_experiments() -> None:
    first = pt.Transformer.from_df(frame(score=lambda rows: range(len(rows), 0, -1)))
    topics = pd.DataFrame({"qid": ["q0", "q1"], "query": ["what is 0", "what is 1"]})
    qrels = pd.DataFrame({"qid": ["q0", "q1"], "docno": ["d00", "d00"], "label": [1, 1]})
    with serving() as server:
        rerank = Rerank("scripted", base_urls=[server.url], cache=False)
        table = pt.Experiment([first, first >> rerank], topics, qrels, ["recip_rank"])
        rerank.close()
    assert [round(value, 4) for value in table["recip_rank"]] == [round(1 / 12, 4), 1.0]


class TestProtocols(pt.testing.TransformerTestCase):  # type: ignore[misc, name-defined]
    """PyTerrier's own tests of a transformer, but the one that draws with a file off the net."""

    test_schematic = None

    @staticmethod
    def get_transformer() -> Any:
        return Rerank(engine=ScriptedEngine())


def test_its_parameters_can_be_seen_and_changed(rerank: Any) -> None:
    assert {each.name for each in pt.inspect.transformer_attributes(rerank)} >= {
        "model",
        "recipe",
        "method",
        "depth",
    }
    changed = pt.inspect.transformer_apply_attributes(rerank, depth=5)
    assert (changed.depth, rerank.depth) == (5, 100)
