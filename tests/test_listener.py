"""What a driver tells: its listener while it works, and the trace of each ask."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from scripted import ScriptedEngine, numbered, query, shown

from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.methods import make_method
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Completion, Passage, Prompt, Sampling
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Listener, Settings
from rearank_cli.reranking.trace import AskTrace

RECIPE = load_recipe("rearank")
SETTINGS = Settings(RECIPE, make_method("sliding", {"window": 4, "stride": 2}))


class Noting(Listener):
    """Notes what it hears; fails and abandons what it is told to."""

    def __init__(self, forgives: bool = False, abandons: Sequence[int] = ()) -> None:
        self.answers: list[tuple[str, int, int]] = []
        self.stages: list[tuple[int, list[int]]] = []
        self.failures: list[tuple[int, str]] = []
        self.forgives, self.abandons = forgives, abandons

    def answered(self, trace: AskTrace, expected: int) -> None:
        self.answers.append((trace.query_id, trace.stage, expected))

    def stage(self, position: int, traces: Sequence[AskTrace]) -> None:
        self.stages.append((position, [trace.stage for trace in traces]))

    def failed(self, position: int, error: RearankError) -> bool:
        self.failures.append((position, error.message))
        return self.forgives

    def abandoned(self, position: int) -> bool:
        return position in self.abandons


def work(hits: int, name: str = "q1") -> Candidates:
    passages = numbered(hits)
    return Candidates(query(name), tuple(reversed(passages)), passages)


def stream(
    engine: ScriptedEngine,
    items: Sequence[Candidates],
    how: Settings = SETTINGS,
    listener: Listener | None = None,
) -> list[tuple[int, Reranked]]:
    async def main() -> list[tuple[int, Reranked]]:
        return [each async for each in Driver(engine, how, listener).stream(items)]

    return asyncio.run(main())


def test_a_listener_hears_of_every_answer_and_of_every_stage_that_is_done() -> None:
    listener = Noting()
    items = [work(6, "a"), work(1, "b"), work(4, "c"), work(6, "a")]
    found = stream(ScriptedEngine(capacity=1), items, listener=listener)
    assert sorted(position for position, _ in found) == [0, 1, 2, 3]
    assert found[0][0] == 1  # nothing had to be asked
    assert sorted(listener.answers) == [
        ("a", 1, 5),
        ("a", 1, 5),
        ("a", 2, 5),
        ("a", 2, 5),
        ("c", 1, 5),
    ]
    stages = [each for each in listener.stages if each[1]]
    assert sorted(stages) == [(0, [1]), (0, [2]), (2, [1]), (3, [1]), (3, [2])]
    assert [len(result.traces) for _, result in sorted(found, key=lambda each: each[0])] == [
        2,
        0,
        1,
        2,
    ]


def test_what_is_expected_follows_what_is_known() -> None:
    """Top-down guesses three stages; the best of these stand on top already, so two are enough."""
    method = make_method("topdown", {"window": 4, "pivot": 1, "top": 1})
    listener = Noting()
    passages = numbered(10)
    item = Candidates(query(), tuple(passages), passages)
    stream(ScriptedEngine(), [item], Settings(RECIPE, method), listener)
    assert method.calls(10) == 4
    assert [expected for _, _, expected in listener.answers][:2] == [4, 4]
    assert len(listener.answers) == 3
    two = Noting()
    stream(ScriptedEngine(capacity=1), [item, replace_query(item)], Settings(RECIPE, method), two)
    assert two.answers[0][2] == 8
    assert two.answers[-1][2] == 7  # the first query has turned out to take three


def replace_query(item: Candidates) -> Candidates:
    return item._replace(query=query("q2"))


def test_plain_listeners_hear_of_stages_without_positions() -> None:
    heard: list[int] = []

    class Plain(Listener):
        def settled(self, traces: Sequence[AskTrace]) -> None:
            heard.extend(trace.stage for trace in traces)

    stream(ScriptedEngine(), [work(6)], listener=Plain())
    assert heard == [1, 2]
    quiet = Listener()
    assert not quiet.failed(0, RearankError("no"))
    assert not quiet.abandoned(0)


def long_query(prompt: Prompt) -> str:
    if "what is q2" in prompt[1].content:
        raise PromptTooLong(500, 10)
    return " > ".join(f"[{number}]" for number in range(len(shown(prompt)), 0, -1))


def test_a_query_that_does_not_fit_is_told_and_the_others_go_on_if_the_listener_says_so() -> None:
    items = [work(6, "q1"), work(6, "q2"), work(3, "q3")]
    listener = Noting(forgives=True)
    found = stream(ScriptedEngine(long_query), items, listener=listener)
    assert sorted(position for position, _ in found) == [0, 2]
    ((position, message),) = listener.failures
    assert position == 1
    assert message.startswith("query q2, ranks 3-6: the query does not fit the model: ")
    strict = Noting()
    with pytest.raises(RearankError, match="query q2, ranks 3-6: the query does not fit"):
        stream(ScriptedEngine(long_query), items, listener=strict)
    assert len(strict.failures) == 1


@pytest.mark.parametrize("error", [EngineError("it died"), EngineStartError("no memory")])
def test_a_failing_engine_is_no_listeners_choice(error: EngineError) -> None:
    def script(prompt: Prompt) -> str:
        raise error

    listener = Noting(forgives=True)
    with pytest.raises(type(error)):
        stream(ScriptedEngine(script), [work(3)], listener=listener)
    assert listener.failures == []


def test_nothing_is_asked_for_a_query_that_was_abandoned() -> None:
    engine = ScriptedEngine()
    found = stream(engine, [work(6, "q1"), work(6, "q2")], listener=Noting(abandons=[0]))
    assert [position for position, _ in found] == [1]
    assert all("what is q2" in prompt[1].content for prompt in engine.prompts)


def traced(completion: Completion, **given: Any) -> AskTrace:
    engine = ScriptedEngine(lambda prompt: completion)
    settings = replace(SETTINGS, **given)
    ((_, result),) = stream(engine, [work(3)], settings)
    return result.traces[0]


SAID = Completion("[2] > [1] > [3]", "", "length", 12, 34, seconds=1.23456)


def test_the_trace_of_an_ask_tells_how_it_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = traced(SAID)
    assert (trace.kind, trace.finish_reason, trace.passage_chars) == ("order", "length", 400)
    assert (trace.prompt_tokens, trace.completion_tokens) == (12, 34)
    assert (trace.seconds, trace.cached, trace.shortened) == (1.235, False, False)
    cached = traced(replace(SAID, cached=True))
    assert (cached.seconds, cached.cached) == (0.0, True)
    ticks = count(10)
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    assert traced(replace(SAID, seconds=0.0)).seconds == 1.0


def test_settings_are_the_recipes_unless_they_are_given() -> None:
    assert (SETTINGS.limit, SETTINGS.drawn) == (RECIPE.passage_chars, RECIPE.sampling)
    drawn = Sampling(max_tokens=7, temperature=0.5)
    given = replace(SETTINGS, passage_chars=5, sampling=drawn)
    assert (given.limit, given.drawn) == (5, drawn)
    engine = ScriptedEngine(lambda prompt: "[1] > [2] > [3]")
    stream(engine, [work(3)], given)
    assert engine.requests[0].sampling == drawn
    assert shown(engine.prompts[0]) == ["passa"] * 3


@pytest.mark.parametrize(
    ("hits", "calls", "path"), [(0, 0, 0), (1, 0, 0), (4, 2, 2), (6, 4, 4), (99, 6, 6)]
)
def test_estimates_count_all_passes_down_to_the_depth(hits: int, calls: int, path: int) -> None:
    settings = replace(SETTINGS, depth=8, passes=2)
    assert (settings.calls(hits), settings.path(hits)) == (calls, path)
    topdown = Settings(RECIPE, make_method("topdown"), depth=58, passes=2)
    assert (topdown.calls(100), topdown.path(100)) == (8, 6)


@pytest.mark.parametrize("name", ["depth", "passes", "concurrency", "passage_chars"])
def test_a_number_below_one_is_refused_by_its_name(name: str) -> None:
    zero: dict[str, Any] = {name: 0}
    one: dict[str, Any] = {name: 1}
    with pytest.raises(RearankError) as caught:
        replace(SETTINGS, **zero)
    assert caught.value.message == f"expected `{name}` to be at least 1, found 0"
    replace(SETTINGS, **one)


def test_samples_that_would_be_the_same_are_refused_by_what_is_drawn() -> None:
    method = make_method("sliding", {"samples": 2})
    with pytest.raises(RearankError, match="several `samples` of one prompt are all the same"):
        Settings(RECIPE, method, sampling=Sampling(max_tokens=9, temperature=0.0))
    Settings(RECIPE, method, sampling=Sampling(max_tokens=9, temperature=1.0))


def test_an_engine_that_cannot_do_what_the_recipe_asks_is_refused_before_it_is_asked() -> None:
    engine = ScriptedEngine(abilities=["text"])
    with pytest.raises(EngineStartError, match="needs a model that can answer a chat"):
        Driver(engine, SETTINGS)


def test_a_prompt_is_made_shorter_for_the_ask_that_needs_it_alone() -> None:
    limits: list[int] = []

    def script(prompt: Prompt) -> str:
        longest = max(map(len, shown(prompt)))
        limits.append(longest)
        if longest > 60:
            raise PromptTooLong(100, 50)
        return "[1] > [2] > [3]"

    passages = {name: passage(name, chars) for name, chars in {"a": 30, "b": 200, "c": 90}.items()}
    item = Candidates(query(), tuple(passages), passages)
    settings = replace(SETTINGS, passage_chars=100)
    ((_, result),) = stream(ScriptedEngine(script), [item], settings)
    assert limits == [100, 50]
    (trace,) = result.traces
    assert (trace.passage_chars, trace.shortened) == (50, True)


def passage(name: str, chars: int) -> Passage:
    return Passage(name, name * chars)


def test_results_come_in_input_order_although_the_first_is_done_last() -> None:
    """The first query has more stages than the others, which are done before it."""
    items = [work(12, "long"), work(3, "b"), work(2, "c")]

    async def main() -> tuple[list[str], list[int]]:
        driver = Driver(ScriptedEngine(), SETTINGS)
        ordered = [result.query_id async for result in driver.run(items)]
        return ordered, [position async for position, _ in driver.stream(items)]

    ordered, streamed = asyncio.run(main())
    assert ordered == ["long", "b", "c"]
    assert streamed[-1] == 0 and sorted(streamed) == [0, 1, 2]
