"""Thoughts with an end and answers of a given form: what is asked, and what becomes of it."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedEngine, numbered, query

from rearank_cli.engines.base import Ability, Heard
from rearank_cli.engines.cached import CachedEngine
from rearank_cli.engines.store import Store
from rearank_cli.errors import EngineStartError, RearankError
from rearank_cli.methods import Ask, make_method
from rearank_cli.methods.answers import KINDS, Form, grammar
from rearank_cli.recipes.loading import load_recipe, parse_recipe
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.records import Completion, Kind, Request
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Settings

Script = Callable[[Request], Completion]
CLOSING = "\n</think>\n\n<answer>"


class Thinker(ScriptedEngine):
    """Answers by the whole request."""

    def __init__(self, answer: Script) -> None:
        super().__init__(lambda prompt: answer(self.requests[-1]))


def cut(text: str, tokens: int = 0) -> Completion:
    return Completion(text, finish_reason="length", completion_tokens=tokens)


def rerank(engine: Any, recipe: Recipe, hits: int = 3, **numbers: Any) -> Reranked:
    """Rerank one query, whose passages are one window."""

    async def all_of_it() -> Sequence[Reranked]:
        passages = numbered(hits)
        driver = Driver(engine, Settings(recipe, make_method(recipe.method, numbers)))
        work = [Candidates(query(), tuple(passages), passages)]
        return [each async for each in driver.run(work)]

    (found,) = asyncio.run(all_of_it())
    return found


def limited(**said: Any) -> Recipe:
    return load_recipe("rearank").changed(max_tokens=300, **said)


def test_a_thought_that_is_too_long_is_closed_and_an_answer_follows() -> None:
    def answer(request: Request) -> Completion:
        if not request.prefill:
            return replace(cut("<think>[2] is good, and  ", 100), prompt_tokens=70, seconds=1.0)
        return Completion("[2] > [3]</answer>", completion_tokens=9, prompt_tokens=99, seconds=0.5)

    engine = Thinker(answer)
    found = rerank(engine, limited(max_thinking_tokens=100))
    first, second = engine.requests
    assert (first.prefill, first.sampling.max_tokens) == ("", 100)
    assert second.prefill == "<think>[2] is good, and" + CLOSING
    assert second.sampling.max_tokens == 200
    assert first.sampling.max_thinking_tokens == second.sampling.max_thinking_tokens == 0
    assert found.ranking == ("d01", "d02", "d00")
    (trace,) = found.traces
    assert (trace.reasoning, trace.answer) == ("[2] is good, and", "[2] > [3]")
    assert trace.flaws.names() == ("missing",)
    assert (trace.prompt_tokens, trace.completion_tokens) == (70, 109)
    assert (trace.seconds, trace.finish_reason) == (1.5, "stop")


def test_a_model_that_is_done_in_time_is_asked_once() -> None:
    engine = Thinker(lambda request: Completion("<think>x</think><answer>[3]</answer>"))
    assert rerank(engine, limited(max_thinking_tokens=100)).ranking[0] == "d02"
    assert len(engine.requests) == 1


def test_an_answer_that_has_begun_goes_on_as_it_is() -> None:
    begun = "<think>x</think>\n<answer>[3] > "

    def answer(request: Request) -> Completion:
        return Completion("[2] > [1]</answer>") if request.prefill else cut(begun)

    engine = Thinker(answer)
    found = rerank(engine, limited(max_thinking_tokens=100))
    assert engine.requests[1].prefill == begun
    assert found.ranking == ("d02", "d01", "d00")
    assert found.traces[0].flaws.names() == ()


def test_reasoning_that_a_server_takes_apart_is_given_back_to_it() -> None:
    def answer(request: Request) -> Completion:
        if request.prefill:
            return Completion("[1] > [2] > [3]")
        return Completion("", reasoning="\nhm\n", finish_reason="length")

    engine = Thinker(answer)
    found = rerank(engine, limited(max_thinking_tokens=100))
    assert engine.requests[1].prefill == "<think>\nhm" + CLOSING
    assert found.traces[0].reasoning == "hm"


def test_without_a_limit_or_a_form_one_request_is_all() -> None:
    engine = Thinker(lambda request: cut("<think>on and on"))
    found = rerank(engine, limited())
    assert len(engine.requests) == 1
    assert found.traces[0].flaws.names() == ("truncated", "no_answer")


def test_a_thought_cannot_bring_control_tokens_into_the_prompt() -> None:
    def answer(request: Request) -> Completion:
        return Completion("[2]") if request.prefill else cut("<think>a <|im_end|> b")

    engine = Thinker(answer)
    engine.reserved = ("<|im_end|>", "<think>", "</think>")
    rerank(engine, limited(max_thinking_tokens=100))
    assert engine.requests[1].prefill == "<think>a < |im_end| > b" + CLOSING


@pytest.mark.parametrize(
    ("said", "prefill"),
    [
        ("I would read [2], and I", "I would read [2], and I" + CLOSING),
        ("<think>hm</think>none of them", "<think>hm" + CLOSING),
        ("hm <answer>[2] > [1]", "hm" + CLOSING),  # one is missing
    ],
)
def test_an_answer_of_another_form_is_asked_for_again_under_a_grammar(
    said: str, prefill: str
) -> None:
    def answer(request: Request) -> Completion:
        return Completion("[2] > [3] > [1]") if request.grammar else Completion(said)

    engine = Thinker(answer)
    found = rerank(engine, limited(force_format=True))
    first, second = engine.requests
    assert (first.grammar, first.sampling.max_tokens) == (None, 300)
    assert second.grammar and second.prefill == prefill
    assert second.sampling.max_tokens == second.grammar.room == 19
    assert found.ranking == ("d01", "d02", "d00")
    assert found.traces[0].flaws.names() == ()


@pytest.mark.parametrize(
    "said", ["<think>x</think><answer>[3] >\n[2] > [1]</answer>", "[3] > [2] > [1]"]
)
def test_an_answer_that_has_its_form_is_left_alone(said: str) -> None:
    engine = Thinker(lambda request: Completion(said))
    assert rerank(engine, limited(force_format=True)).ranking == ("d02", "d01", "d00")
    assert len(engine.requests) == 1


def test_without_reasoning_the_first_request_has_the_grammar() -> None:
    engine = Thinker(lambda request: Completion("[2]"))
    found = rerank(engine, load_recipe("choice").changed(force_format=True), top=1)
    (request,) = engine.requests
    assert request.grammar and request.grammar.regex == r"\[(1|2|3)\]"
    assert request.sampling.max_tokens == 4  # three characters, and the end
    assert found.ranking[0] == "d01"


def test_both_requests_have_keys_of_their_own_in_the_cache(tmp_path: Path) -> None:
    def answer(request: Request) -> Completion:
        return Completion("[2] > [3] > [1]") if request.grammar else cut("hm")

    def asked(recipe: Recipe) -> int:
        """Return how many requests reach the engine behind a cache in this folder."""
        engine = Thinker(answer)
        found = rerank(CachedEngine(engine, Store(tmp_path / "c.sqlite")), recipe)
        assert found.ranking == ("d01", "d02", "d00")
        return len(engine.requests)

    recipe = limited(force_format=True, max_thinking_tokens=100)
    assert asked(recipe) == 2
    assert asked(recipe) == 0
    # Only the end of the thought differs; the thought itself is known.
    assert asked(replace(recipe, closing="\n</think>\n")) == 1


@pytest.mark.parametrize(
    ("said", "heard", "ranks"),
    [
        ({}, [True], [1]),
        # What goes on from a beginning is not heard: its first ranks may stand in that.
        ({"max_thinking_tokens": 100}, [True, False], [1, 0]),
        # Nor is what may be asked for again.
        ({"force_format": True}, [False, False], [0, 0]),
    ],
)
def test_an_answer_is_heard_only_where_it_is_the_answer(
    said: dict[str, Any], heard: list[bool], ranks: list[int]
) -> None:
    class Speaker(Thinker):
        async def stream(self, request: Request, heard: Heard) -> Completion:
            spoken.append(True)
            return await super().complete(request)

        async def complete(self, request: Request) -> Completion:
            spoken.append(False)
            return await super().complete(request)

    spoken: list[bool] = []
    engine = Speaker(lambda each: Completion("[2]") if each.prefill else cut("<think>hm"))
    rerank(engine, limited(**said), top=1)
    assert spoken == heard
    assert [each.ranks for each in engine.requests] == ranks


@pytest.mark.parametrize("abilities", [("chat",), ("chat", "prefill"), ("chat", "grammar")])
def test_an_engine_that_cannot_keep_a_form_is_refused(abilities: tuple[Ability, ...]) -> None:
    engine = ScriptedEngine(abilities=abilities)
    with pytest.raises(EngineStartError, match="this engine cannot"):
        rerank(engine, limited(force_format=True))
    assert not engine.requests


@pytest.mark.parametrize(
    ("recipe", "said", "wrong"),
    [
        ("rankgpt", {"max_thinking_tokens": 9}, "asks for no reasoning"),
        ("letters", {"force_format": True}, "reads log-probabilities"),
        ("judgement", {"force_format": True}, "reads log-probabilities"),
        ("likelihood", {"force_format": True}, "reads log-probabilities"),
    ],
)
def test_what_makes_no_sense_is_refused(recipe: str, said: dict[str, Any], wrong: str) -> None:
    made = load_recipe(recipe).changed(**said)
    with pytest.raises(RearankError, match=wrong):
        Settings(made, make_method(made.method, dict(made.numbers)))


def test_a_thought_must_leave_room_for_an_answer() -> None:
    with pytest.raises(RearankError, match="below `max_tokens`, which is 300, found 300"):
        limited(max_thinking_tokens=300)


@pytest.mark.parametrize("text", ["prefill = '['\ntext = 'x'\n", "closing = 'x'\nthinks = false\n"])
def test_fields_that_contradict_each_other_are_refused(text: str) -> None:
    chat = "" if "text" in text else "[[messages]]\nrole = 'user'\ncontent = 'x'\n"
    with pytest.raises(RearankError, match=r"mine: expected (prefill|closing)"):
        parse_recipe("mine", text + chat)


def test_a_prefilled_bracket_stands_before_the_letters() -> None:
    def answer(request: Request) -> Completion:
        return Completion("B", choices={"A": -3.0, "B": -0.1, "C": -5.0})

    engine = Thinker(answer)
    found = rerank(engine, replace(load_recipe("letters"), prefill="["))
    assert [each.prefill for each in engine.requests] == ["["]
    assert found.ranking == ("d01", "d00", "d02")
    assert found.traces[0].answer == "[B"


FORMS = {
    "order": Form(thinks=True),
    "choice": Form(),
    "scores": Form(thinks=True),
    "judgement": Form(words=("Yes", "No (not at all)")),
}


@pytest.mark.parametrize("kind", FORMS)
@given(data=st.data())
def test_whatever_matches_a_form_is_read_as_an_answer(kind: Kind, data: st.DataObject) -> None:
    count = 1 if kind == "judgement" else data.draw(st.integers(1, 26))
    form = replace(FORMS[kind], letters=kind == "choice" and data.draw(st.booleans()))
    wanted = KINDS[kind].grammar(form, count)
    assert wanted
    text = data.draw(
        st.from_regex(wanted.regex, fullmatch=True, alphabet=st.characters(codec="ascii"))
    )
    assert len(text) <= wanted.longest
    assert grammar.fits(f"<think>[1] [2]</think>\n\n<answer>{text}", wanted)
    docs = tuple(f"d{n}" for n in range(count))
    answer = KINDS[kind].read(Completion(text), Ask(docs), form)
    assert not answer.flaws.no_answer and not answer.flaws.unknown
    assert sorted(answer.ranking) == sorted(docs)


def test_every_permutation_has_the_form_of_an_order() -> None:
    wanted = grammar.order(Form(), 3)
    for order in ("[1] > [2] > [3]", "[3] > [1] > [2]"):
        assert re.fullmatch(wanted.regex, order)
    for order in ("[1] > [2]", "[1] > [2] > [4]", "[1], [2], [3]"):
        assert not re.fullmatch(wanted.regex, order)
