"""Reranking as a PyTerrier transformer: `retriever >> Rerank("Qwen/Qwen3-8B")`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyterrier as pt

from rearank_cli.records import Passage, Query, Run
from rearank_cli.reranking.reranker import Reranker

_NEEDED = ("qid", "query", "docno", "text")


@dataclass(frozen=True)
class _Frame:
    """The texts of a result frame, as the reranker asks for them."""

    frame: Any
    name: str = "the frame"

    def queries(self) -> dict[str, Query]:
        first = self.frame.drop_duplicates("qid")
        pairs = zip(first["qid"], first["query"], strict=True)
        return {str(qid): Query(str(qid), str(text)) for qid, text in pairs}

    def passages(self, doc_ids: Iterable[str]) -> dict[str, Passage]:
        wanted = set(doc_ids)
        titles = self.frame["title"] if "title" in self.frame else [""] * len(self.frame)
        rows = zip(self.frame["docno"], self.frame["text"], titles, strict=True)
        return {
            str(docno): Passage(str(docno), str(text), str(title))
            for docno, text, title in rows
            if str(docno) in wanted
        }


class Rerank(pt.Transformer):  # type: ignore[misc]  # not typed
    """Reorders result frames with `qid`, `query`, `docno`, `text`; a `title` is shown, too.

    The parameters are those of `rearank_cli.Reranker`; `options` are its engine's, such as
    `base_urls`. The model is started by the first frame that holds anything, and stopped by
    `close`, or at the end of the process. Scores are by rank; ranks count from 0, as elsewhere in
    PyTerrier.
    """

    def __init__(
        self,
        model: str | None = None,
        recipe: str | None = None,
        method: str = "sliding",
        depth: int = 100,
        **options: Any,
    ) -> None:
        """Remember how to rerank; raise `RearankError` for what can be known to be wrong."""
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.method = method
        self.depth = depth
        self.options = options
        self._reranker: Reranker | None = None

    def transform_inputs(self) -> list[list[str]]:
        """Return the columns that a frame must have."""
        return [list(_NEEDED)]

    def transform_outputs(self, input_columns: Sequence[str]) -> list[str]:
        """Return the columns of what comes out for a frame with these columns."""
        pt.validate.result_frame(list(input_columns), extra_columns=["query", "text"])
        return [*input_columns, *(name for name in ("score", "rank") if name not in input_columns)]

    def transform(self, inp: Any) -> Any:
        """Return the frame in its new order; an empty one starts no model."""
        frame = inp if isinstance(inp, pd.DataFrame) else pd.DataFrame(inp)
        pt.validate.result_frame(frame, extra_columns=["query", "text"])
        if frame.empty:
            return frame.reindex(columns=self.transform_outputs(list(frame.columns)))
        ordered = _in_order(frame)
        new = self._open().rerank(_run(ordered), _Frame(ordered))
        return _reordered(ordered, new)

    def _open(self) -> Reranker:
        if self._reranker is None:
            made = Reranker(
                self.model,
                recipe=self.recipe,
                method=self.method,
                depth=self.depth,
                **self.options,
            )
            self._reranker = made.__enter__()
        return self._reranker

    def close(self) -> None:
        """Stop the model; the next frame starts it again."""
        reranker, self._reranker = self._reranker, None
        if reranker is not None:
            reranker.close()


def _in_order(frame: Any) -> Any:
    """Return a frame with every query's rows best first: by rank, else by score, else as is."""
    if "rank" in frame:
        return frame.sort_values(["rank"], kind="stable")
    return (
        frame.sort_values(["score"], ascending=False, kind="stable") if "score" in frame else frame
    )


def _run(frame: Any) -> Run:
    rankings: dict[str, tuple[str, ...]] = {}
    scores: dict[str, tuple[float, ...]] = {}
    for qid, rows in frame.groupby("qid", sort=False):
        docnos = tuple(str(each) for each in rows["docno"])
        found = rows["score"] if "score" in rows else range(len(rows), 0, -1)
        rankings[str(qid)] = docnos
        scores[str(qid)] = tuple(float(score) for score in found)
    return Run(rankings, scores)


def _reordered(frame: Any, new: Run) -> Any:
    ranks: Mapping[tuple[str, str], int] = {
        (qid, docno): rank
        for qid, ranking in new.rankings.items()
        for rank, docno in enumerate(ranking)
    }
    keys = zip(frame["qid"].astype(str), frame["docno"].astype(str), strict=True)
    placed = frame.assign(rank=[ranks[key] for key in keys])
    sizes = placed.groupby("qid")["rank"].transform("size")
    placed = placed.assign(score=(sizes - placed["rank"]).astype(float))
    order = {qid: place for place, qid in enumerate(dict.fromkeys(frame["qid"]))}
    places = placed["qid"].map(order)
    placed = placed.assign(_place=places).sort_values(["_place", "rank"]).drop(columns="_place")
    return placed.reset_index(drop=True)
