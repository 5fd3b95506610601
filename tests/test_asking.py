"""Every shipped recipe through the driver, and engines that cannot give what one needs."""

import asyncio
import re
from dataclasses import replace
from math import log
from typing import Any

import pytest
from scripted import ScriptedEngine, numbered, query

from rearank_cli.engines.base import Ability
from rearank_cli.errors import EngineStartError, RearankError
from rearank_cli.methods import make_method
from rearank_cli.recipes.loading import load_recipe, parse_recipe
from rearank_cli.records import Completion, Kind, Request, TokenScore
from rearank_cli.report.story import tell
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Settings
from rearank_cli.reranking.reranker import Reranker, method_for

HITS = 45


def numbers_in(prompt: Any) -> list[int]:
    """Return the numbers of the passages that a prompt shows, in the order shown."""
    text = prompt if isinstance(prompt, str) else "\n".join(turn.content for turn in prompt)
    return [int(each) for each in re.findall(r"passage (\d\d)", text)]


def knowing(kind: Kind) -> Any:
    """Return a script of a perfect model, which knows that low numbers are relevant."""

    def script(prompt: Any) -> str | Completion:
        shown = numbers_in(prompt)
        best = min(range(len(shown)), key=shown.__getitem__)
        if kind == "choice":
            return f"[{best + 1}]"
        if kind == "scores":
            pairs = ", ".join(f'"[{at}]": {99 - each}' for at, each in enumerate(shown, 1))
            return f"<think>hm</think><answer>{{{pairs}}}</answer>"
        if kind == "letters":
            names = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            told = {names[at]: -1.0 - each for at, each in enumerate(shown)}
            return Completion(names[best], choices=told)
        if kind == "judgement":
            yes = 1 / (2 + shown[0])
            return Completion("Yes", choices={"Yes": log(yes), "No": log(1 - yes)})
        return Completion("", tokens=(TokenScore(" what", -1.0 - shown[0]),))

    return script


def work(hits: int = HITS, name: str = "q1") -> Candidates:
    passages = numbered(hits)
    return Candidates(query(name), tuple(reversed(passages)), passages)


def run(settings: Settings, engine: ScriptedEngine, item: Candidates | None = None) -> Reranked:
    async def main() -> Reranked:
        return [result async for result in Driver(engine, settings).run([item or work()])][0]

    return asyncio.run(main())


@pytest.mark.parametrize("name", ["choice", "groups", "letters", "judgement", "likelihood"])
def test_every_shipped_recipe_lets_a_perfect_model_find_the_best_ten(name: str) -> None:
    recipe = load_recipe(name)
    engine = ScriptedEngine(knowing(recipe.kind))
    result = run(Settings(recipe, method_for(recipe, None, None)), engine)
    assert result.ranking[:10] == tuple(f"d{n:02}" for n in range(10))
    assert sorted(result.ranking) == sorted(numbered(HITS))
    assert {trace.kind for trace in result.traces} == {recipe.kind}
    assert not any(trace.flaws.names() for trace in result.traces)
    assert tell("trace", result.traces).new == result.ranking
    scored = recipe.kind != "choice"
    assert all(bool(trace.scores) == scored for trace in result.traces)


def test_requests_say_what_is_wanted() -> None:
    asked: dict[str, Request] = {}
    for name in ("choice", "letters", "judgement", "likelihood"):
        recipe = load_recipe(name)
        engine = ScriptedEngine(knowing(recipe.kind))
        run(Settings(recipe, method_for(recipe, None, None)), engine, work(3))
        asked[name] = engine.requests[0]
    assert asked["choice"].choices == ()
    assert asked["letters"].choices == ("A", "B", "C")
    assert asked["judgement"].choices == ("Yes", "No")
    assert asked["likelihood"].continuation == " what is q1"
    assert str(asked["likelihood"].prompt).endswith("\n\nPassage: passage 02\nQuestion:")
    assert {asked[name].sampling.max_tokens for name in asked} == {1, 32}


@pytest.mark.parametrize(
    ("name", "abilities", "lacking"),
    [
        ("letters", ("chat", "text"), "log-probabilities of its first token"),
        ("judgement", ("chat", "text"), "log-probabilities of its first token"),
        ("likelihood", ("chat", "text"), "log-probabilities of a given text"),
        ("likelihood", ("chat", "continuation"), "continue a plain text"),
        ("rearank", ("text",), "answer a chat"),
    ],
)
def test_an_engine_that_cannot_is_refused_before_anything_starts(
    name: str, abilities: tuple[Ability, ...], lacking: str
) -> None:
    engine = ScriptedEngine(abilities=abilities)
    with pytest.raises(EngineStartError) as caught, Reranker(recipe=name, engine=engine):
        pass
    assert lacking in caught.value.message
    assert caught.value.exit_code == 2
    assert engine.opened == 0


def test_a_window_of_more_letters_than_the_server_tells_is_refused() -> None:
    engine = ScriptedEngine()
    engine.most_choices = 20
    recipe = load_recipe("letters")
    Driver(engine, Settings(recipe, make_method("sliding", {"window": 20})))
    with pytest.raises(EngineStartError) as caught:
        Driver(engine, Settings(recipe, make_method("sliding", {"window": 21})))
    assert "needs 21 log-probabilities of one token; this engine tells at most 20" in str(
        caught.value
    )


def test_more_passages_than_letters_are_refused() -> None:
    with pytest.raises(RearankError, match="names for 26"):
        Settings(load_recipe("letters"), make_method("sliding", {"window": 27}))


def test_a_limit_of_thinking_needs_an_engine_that_keeps_it() -> None:
    recipe = load_recipe("rearank").changed(max_thinking_tokens=100)
    with pytest.raises(EngineStartError, match="go on from the beginning of an answer"):
        Driver(ScriptedEngine(abilities=("chat",)), Settings(recipe, make_method()))


def test_samples_have_keys_and_seeds_of_their_own() -> None:
    recipe = load_recipe("rearank").changed(temperature=0.5, seed=7)
    engine = ScriptedEngine()
    method = make_method("sliding", {"samples": 3})
    result = run(Settings(recipe, method), engine, work(4))
    assert [each.sample for each in engine.requests] == [0, 1, 2]
    assert [each.sampling.seed for each in engine.requests] == [7, 8, 9]
    assert len({str(each.identity()) for each in engine.requests}) == 3
    assert len(result.traces) == 3


def test_shuffled_samples_show_other_orders_and_agree_on_the_best() -> None:
    engine = ScriptedEngine()
    method = make_method("sliding", {"samples": 3, "shuffle": True})
    result = run(Settings(load_recipe("rearank"), method), engine, work(30))
    assert result.ranking[:10] == tuple(f"d{n:02}" for n in range(10))
    first = [trace for trace in result.traces if trace.stage == 1]
    assert len({trace.before for trace in first}) == 3
    assert len({frozenset(trace.before) for trace in first}) == 1
    assert tell("trace", result.traces).new == result.ranking


def test_samples_that_would_all_be_the_same_are_refused() -> None:
    recipe = load_recipe("rearank")
    with pytest.raises(RearankError, match="all the same at temperature 0"):
        Settings(recipe, make_method("sliding", {"samples": 2}))
    Settings(recipe, make_method("sliding", {"samples": 2, "shuffle": True}))
    Settings(recipe.changed(temperature=0.1), make_method("sliding", {"samples": 2}))


def test_passages_are_cut_in_words_and_titles_left_out_where_a_recipe_says_so() -> None:
    class Texts:
        name = "tiny"

        def queries(self) -> Any:
            return {"q1": query()}

        def passages(self, doc_ids: set[str]) -> Any:
            return {
                name: replaced._replace(text="one two  three four", title="T")
                for name, replaced in numbered(2).items()
            }

    from rearank_cli.records import Run

    text = "passage_words = 3\ntitle = false\ntext = '{{ passages[0] }}|{{ passages[1] }}'\n"
    engine = ScriptedEngine(lambda prompt: "[1] > [2]")
    with Reranker(recipe=parse_recipe("mine", text), engine=engine) as reranker:
        reranker.rerank(Run.by_rank({"q1": ("d00", "d01")}, "t"), Texts())
    assert engine.prompts == ["one two three|one two three"]


def test_a_score_that_an_answer_leaves_out_is_none_in_the_trace() -> None:
    recipe = replace(load_recipe("groups"))
    engine = ScriptedEngine(lambda prompt: '<answer>{"[1]": 3}</answer>')
    result = run(Settings(recipe, make_method("groups")), engine, work(2))
    assert result.traces[0].scores == (3.0, None)
    assert result.traces[0].flaws.missing == (2,)
