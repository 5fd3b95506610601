"""`top` for sliding windows: answers end when the best ranks are known."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedEngine, ids, shown
from streamed import StreamedEngine, cut_by
from test_ahead import plan, rerank, work

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.cached import CachedEngine, request_key
from rearank_cli.engines.dry import DryEngine
from rearank_cli.engines.store import Store
from rearank_cli.errors import RearankError
from rearank_cli.methods import make_method
from rearank_cli.records import Completion, Message, Prompt, Request, Sampling
from rearank_cli.report.totals import asides
from rearank_cli.reranking.chain import Reranked
from rearank_cli.reranking.driver import Driver
from rearank_cli.reranking.summary import Summary


def judge(seed: int) -> Callable[[Prompt], str]:
    """Return a judge of any opinion: what it writes depends on the prompt alone."""

    def script(prompt: Prompt) -> str:
        count = len(shown(prompt))
        chance = random.Random(f"{seed} {prompt}")
        order = chance.sample(range(count), count)
        repeated = [order[0], *order] if chance.random() < 0.3 else order
        return f"<think>I think so.</think>\n<answer>{ids(repeated)}</answer>"

    return script


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.integers(1, 25), st.integers(2, 8), st.integers(1, 25), st.data())
def test_the_best_are_those_of_reading_everything(
    seed: int, hits: int, window: int, top: int, data: st.DataObject
) -> None:
    """For any judge: what is not read has no part in the first `top` ranks."""
    stride = data.draw(st.integers(1, window - 1))
    engine = StreamedEngine(judge(seed), pieces=cut_by(seed), capacity=data.draw(st.integers(1, 3)))
    how = plan(window=window, stride=stride, top=top)
    (cut,) = rerank(engine, work(hits), how)
    (whole,) = rerank(ScriptedEngine(judge(seed)), work(hits), plan(window=window, stride=stride))
    assert cut.ranking[:top] == whole.ranking[:top]
    assert sorted(cut.ranking) == sorted(whole.ranking)
    # Engines that tell nothing before the end give the same ranking.
    (told,) = rerank(ScriptedEngine(judge(seed)), work(hits), how)
    assert cut.ranking == told.ranking
    for ours, theirs in zip(cut.traces, told.traces, strict=True):
        assert (ours.after, ours.read, ours.flaws) == (theirs.after, theirs.read, theirs.flaws)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=25),
    st.integers(2, 8),
    st.integers(1, 25),
    st.integers(1, 3),
)
def test_a_perfect_judge_loses_nothing(
    grades: list[int], window: int, top: int, passes: int
) -> None:
    """Gains at every rank down to `top`, and so nDCG there, are those of reading everything."""

    def perfect(prompt: Prompt) -> str:
        numbers = [int(text[-2:]) for text in shown(prompt)]
        order = sorted(range(len(numbers)), key=lambda at: (-grades[numbers[at]], numbers[at]))
        return f"<think></think><answer>{ids(order)}</answer>"

    def gains(top: int | None) -> list[int]:
        how = plan(window=window, passes=passes, top=top)
        (result,) = rerank(StreamedEngine(perfect), work(len(grades)), how)
        return [grades[int(doc_id[1:])] for doc_id in result.ranking]

    assert gains(top)[:top] == gains(None)[:top]


def test_answers_end_where_nothing_more_counts_and_the_trace_says_so() -> None:
    engine = StreamedEngine(judge(1))
    (result,) = rerank(engine, work(12), plan(window=4, stride=2, top=3))
    # Two ranks go on from each window; of the last one three count.
    assert [trace.read for trace in result.traces] == [2, 2, 2, 2, 3]
    assert {trace.finish_reason for trace in result.traces} == {"enough"}
    assert engine.count("enough") == 5
    for trace in result.traces:
        known = trace.after[: trace.read]
        rest = [doc_id for doc_id in trace.before if doc_id not in known]
        assert list(trace.after[trace.read :]) == rest
        assert "[" in trace.answer and "</answer>" not in trace.answer
    record = result.traces[0].to_json()
    assert (
        '"read": 2' in record
        and '"read"'
        not in rerank(StreamedEngine(judge(1)), work(12), plan(window=4, stride=2))[0]
        .traces[0]
        .to_json()
    )


@pytest.mark.parametrize(
    ("top", "read"),
    [(1, [2, 2, 1]), (2, [2, 2, 2]), (3, [2, 2, 3]), (5, [2, 3, 0]), (6, [2, 0, 0])],
)
def test_what_stays_among_the_best_counts_too(top: int, read: list[int]) -> None:
    (result,) = rerank(StreamedEngine(judge(1)), work(8), plan(window=4, stride=2, top=top))
    assert [trace.read for trace in result.traces] == read


def test_what_was_ended_is_kept_and_a_whole_answer_serves_too(tmp_path: Path) -> None:
    def run(top: int | None) -> tuple[list[Reranked], list[tuple[str, int]]]:
        async def main() -> tuple[list[Reranked], list[tuple[str, int]]]:
            engine = StreamedEngine(judge(3))
            cached = CachedEngine(engine, Store(tmp_path / "store"))
            driver = Driver(cached, plan(window=4, stride=2, top=top))
            results = [each async for each in driver.run(work(8))]
            await cached.close()
            return results, engine.events

        return asyncio.run(main())

    first, asked = run(2)
    assert [name for name, _ in asked].count("enough") == 3
    again, asked = run(2)
    assert asked == [] and [each.ranking for each in again] == [each.ranking for each in first]
    # A fragment is no answer to a request for the whole; the whole is one for any ranks.
    _, asked = run(None)
    assert [name for name, _ in asked].count("told") == 3
    fewer, asked = run(1)
    assert asked == [] and fewer[0].ranking[:1] == first[0].ranking[:1]


def test_a_top_of_nothing_is_refused() -> None:
    with pytest.raises(RearankError, match="expected `top` to be at least 1, found 0"):
        make_method("sliding", {"top": 0})


def test_what_was_not_read_and_what_was_taken_back_is_told() -> None:
    (result,) = rerank(StreamedEngine(judge(1)), work(8), plan(window=4, stride=2, top=1))
    assert [asides(trace) for trace in result.traces][1:] == [
        ["first 2 ranks read"],
        ["first 1 rank read"],
    ]
    summary = Summary()
    assert "taken back" not in summary.sentence(1)
    summary.taken_back = 2
    assert "2 begun early and taken back" in summary.sentence(1)
    assert summary.counts()["taken_back"] == 2


def test_a_dry_run_knows_what_is_kept(tmp_path: Path) -> None:
    settings = EngineSettings(Model("m"))
    prompt, drawn = (Message("user", "hello"),), Sampling(9)
    store = Store(tmp_path / "store")
    for ranks, text in ((0, "[2] > [1]"), (3, "[2] > [1] > [3]")):
        request = Request(prompt, Sampling(9 + ranks), ranks=ranks)
        store.put(request_key(settings.identity(), request), "m", Completion(text, "", "stop"))
    dry = DryEngine(settings, store)
    # The whole is an answer to any ranks; what was ended is one to its own number.
    asked = [
        Request(prompt, drawn),
        Request(prompt, drawn, ranks=2),
        Request(prompt, Sampling(12), ranks=3),
        Request(prompt, Sampling(12), ranks=2),
    ]
    found = [asyncio.run(dry.complete(request)).cached for request in asked]
    assert found == [True, True, True, False]
    store.close()
