"""Log-probabilities are the same whoever computes them; vLLM is started once for all of these."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean

import pytest
from command import environment

from rearank_cli.engines.base import Engine, EngineSettings, Streaming
from rearank_cli.engines.models import resolve_model
from rearank_cli.engines.transformers import TransformersEngine
from rearank_cli.engines.vllm import VllmEngine
from rearank_cli.records import Completion, Message, Request, Sampling

pytestmark = pytest.mark.slow

ONE = Sampling(1)
MODEL = "smollm2-135m"
PASSAGES = {
    "honey": "Honey holds so little water that bacteria cannot grow in it: it keeps for years.",
    "tides": "The pull of the moon raises the sea on two sides of the earth.",
    "café": "A café in Zürich serves crème brûlée — and “tea”, too.",
}
QUERIES = [" does honey go bad", " what causes the tides", " naïve question: where is tea served?"]
LETTERS = ("A", "B", "C", "yes", "no")


@dataclass
class Answers:
    """What one engine said, by name of the request; `heard` is what it told of `text` meanwhile."""

    found: Mapping[str, Completion]
    heard: list[str] = field(default_factory=list)


def requests() -> dict[str, Request]:
    found = {
        f"{name}{query}": Request(f"Passage: {passage}\nQuestion:", ONE, continuation=query)
        for name, passage in PASSAGES.items()
        for query in QUERIES
    }
    chat = (Message("user", "Which passage is about honey, A or B?"),)
    found["choice"] = Request(chat, ONE, choices=LETTERS)
    found["longer"] = Request(chat, Sampling(8), choices=LETTERS[:2])
    found["chat"] = Request(chat, ONE, continuation="Passage B is.")
    found["text"] = Request("One, two, three, four,", Sampling(6))
    return found


def ask(engine: Engine, asked: Mapping[str, Request] | None = None) -> Answers:
    wanted = asked or requests()

    heard: list[str] = []

    def listen(so_far: Completion) -> bool:
        heard.append(so_far.text)
        return False

    async def all_at_once() -> list[Completion]:
        await engine.open()
        try:
            answers = await asyncio.gather(*map(engine.complete, wanted.values()))
            if isinstance(engine, Streaming) and "text" in wanted:
                answers.append(await engine.stream(wanted["text"], listen))
                answers.append(await engine.stream(wanted["text"], lambda so_far: True))
            return answers
        finally:
            await engine.close()

    names = [*wanted, "streamed", "ended"]
    return Answers(dict(zip(names, asyncio.run(all_at_once()), strict=False)), heard)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> EngineSettings:
    folder: Path = tmp_path_factory.mktemp("logprobs")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment(folder).items():
            patched.setenv(name, value)
        model = resolve_model(MODEL)
    return EngineSettings(model, engine_args={"dtype": "float32"})


@pytest.fixture(scope="module")
def ours(settings: EngineSettings) -> Answers:
    return ask(TransformersEngine(settings))


@pytest.fixture(scope="module")
def theirs(settings: EngineSettings) -> Answers:
    arguments = {**settings.engine_args, "max_model_len": 512}
    # Java may run in the process of the tests, where nothing is lost when both end in a crash.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rearank_cli.engines.vllm.check_no_java", lambda: None)
        return ask(VllmEngine(EngineSettings(settings.model, engine_args=arguments)))


def test_continuations_have_the_same_tokens_and_scores(ours: Answers, theirs: Answers) -> None:
    for name, request in requests().items():
        if request.continuation:
            one, other = ours.found[name], theirs.found[name]
            assert [token.text for token in one.tokens] == [token.text for token in other.tokens]
            assert "".join(token.text for token in one.tokens) == request.continuation
            expected = [token.logprob for token in one.tokens]
            assert [token.logprob for token in other.tokens] == pytest.approx(expected, abs=1e-3)
            assert one.prompt_tokens == other.prompt_tokens
            assert (other.text, other.completion_tokens, other.finish_reason) == ("", 0, "stop")


def test_choices_have_the_same_scores(ours: Answers, theirs: Answers) -> None:
    for name in ("choice", "longer"):
        one, other = ours.found[name], theirs.found[name]
        assert list(one.choices) == list(other.choices) == list(requests()[name].choices)
        assert dict(other.choices) == pytest.approx(dict(one.choices), abs=1e-3)
        assert one.text == other.text


def test_what_is_told_while_it_is_written_is_what_is_written(theirs: Answers) -> None:
    whole, streamed, ended = (theirs.found[name] for name in ("text", "streamed", "ended"))
    assert replace(streamed, seconds=0.0) == replace(whole, seconds=0.0)
    assert len(theirs.heard) > 1
    assert all(whole.text.startswith(text) for text in theirs.heard)
    assert (ended.finish_reason, ended.text) == ("enough", theirs.heard[0])
    assert 1 <= ended.completion_tokens < whole.completion_tokens


def test_what_is_written_is_the_same(ours: Answers, theirs: Answers) -> None:
    assert ours.found["text"].text == theirs.found["text"].text
    assert ours.found["text"].finish_reason == theirs.found["text"].finish_reason == "length"


def test_the_passage_that_answers_makes_the_question_likely(ours: Answers) -> None:
    for query, right in zip(QUERIES[:2], ("honey", "tides"), strict=True):
        scores = {
            name: mean(token.logprob for token in ours.found[f"{name}{query}"].tokens)
            for name in PASSAGES
        }
        assert max(scores, key=lambda name: scores[name]) == right


def test_bfloat16_stays_near(settings: EngineSettings, ours: Answers) -> None:
    arguments = {"dtype": "bfloat16"}
    half = ask(TransformersEngine(EngineSettings(settings.model, engine_args=arguments)))
    scored = [name for name, request in requests().items() if request.continuation]
    differences = [abs(likelihood(half, name) - likelihood(ours, name)) for name in scored]
    assert 0 < mean(differences) < 0.05


def likelihood(answers: Answers, name: str) -> float:
    return mean(token.logprob for token in answers.found[name].tokens)
