"""Log-probabilities from servers: what is asked, what is read, what is refused."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.dialects import Dialect
from rearank_cli.engines.openai import OpenAIEngine
from rearank_cli.engines.replies import Retry, completion
from rearank_cli.engines.server_scores import path, read_choices
from rearank_cli.errors import EngineError, EngineStartError, RearankError
from rearank_cli.records import Grammar, Message, Request, Sampling, TokenScore

URL = "http://host/v1"
CHAT = (Message("user", "A or B?"),)
LETTERS = Request(CHAT, Sampling(1), choices=("A", "B", "C"))
SCORED = Request("Passage: honey\nQuestion:", Sampling(50), continuation=" does it keep")


def body(request: Request, url: str = URL) -> dict[str, Any]:
    return Dialect("m").body(url, request)


def reply(choice: dict[str, Any], written: int = 1) -> httpx.Response:
    usage = {"prompt_tokens": 9, "completion_tokens": written}
    found = {"choices": [{"finish_reason": "length", **choice}], "usage": usage}
    return httpx.Response(200, content=json.dumps(found))


def echoed(tokens: list[str], scores: list[float | None]) -> httpx.Response:
    told = {"tokens": tokens, "token_logprobs": scores}
    return reply({"text": "".join(tokens), "logprobs": told})


def test_the_letters_of_a_chat_are_asked_for_and_read() -> None:
    assert path(LETTERS) == "/chat/completions"
    said = body(LETTERS)
    assert (said["logprobs"], said["top_logprobs"], said["max_tokens"]) == (True, 20, 1)
    top = [{"token": "B", "logprob": -0.1}, {"token": " A", "logprob": -3.0}]
    top += [{"token": "The", "logprob": -4.0}]
    choice = {"message": {"content": "B"}, "logprobs": {"content": [{"top_logprobs": top}]}}
    found = completion(URL, reply(choice), LETTERS)
    assert found.choices == {"B": -0.1, "A": -3.0}  # C is less likely than all that are told
    assert found.text == "B"


def test_a_plain_text_goes_where_plain_texts_go() -> None:
    request = Request("once upon", Sampling(5), choices=("yes", "no"))
    assert path(request) == "/completions"
    said = body(request)
    assert (said["prompt"], said["logprobs"]) == ("once upon", 20)
    assert "messages" not in said
    choice = {"text": " yes", "logprobs": {"top_logprobs": [{" yes": -0.5, "n": -1.0}]}}
    found = completion(URL, reply(choice), request)
    assert (found.text, found.choices) == (" yes", {"yes": -0.5, "no": -1.0})


def test_a_continuation_is_echoed_and_read_from_its_end() -> None:
    said = body(SCORED)
    assert said["prompt"] == "Passage: honey\nQuestion: does it keep"
    assert (said["echo"], said["max_tokens"], said["temperature"]) == (True, 1, 0.0)
    tokens = ["<s>", "Passage: honey\n", "Question:", " does", " it", " keep", " for"]
    found = completion(URL, echoed(tokens, [None, -9, -8, -3, -2, -1, -7]), SCORED)
    assert found.tokens == (
        TokenScore(" does", -3.0),
        TokenScore(" it", -2.0),
        TokenScore(" keep", -1.0),
    )
    assert (found.text, found.finish_reason, found.completion_tokens) == ("", "stop", 0)


def test_a_token_over_the_prompts_end_is_the_prompts() -> None:
    tokens = ["Passage: honey\nQuestion", ": does", " it", " keep", "!"]
    found = completion(URL, echoed(tokens, [None, -8, -2, -1, -7]), SCORED)
    assert [token.text for token in found.tokens] == [" it", " keep"]


@pytest.mark.parametrize(
    "tokens",
    [["other", " texts", "!"], [" does it keep", "!"], ["!"]],
    ids=["another text", "no prompt", "nothing"],
)
def test_tokens_of_another_text_are_no_answer(tokens: list[str]) -> None:
    with pytest.raises(EngineError, match=f"^{URL}: the tokens that the server tells are not"):
        completion(URL, echoed(tokens, [-1.0] * len(tokens)), SCORED)


def test_a_server_that_tells_nothing_is_named() -> None:
    choice = {"message": {"content": "B"}, "logprobs": None}
    with pytest.raises(EngineError, match=f"^{URL}: the server tells no log-probabilities"):
        completion(URL, reply(choice), LETTERS)
    with pytest.raises(Retry, match="expected a chat completion"):
        completion(URL, reply({**choice, "logprobs": {"content": []}}), LETTERS)


def test_what_no_server_can_do_is_said_before_it_is_asked() -> None:
    with pytest.raises(EngineStartError, match="a plain text, not of a chat"):
        body(Request(CHAT, Sampling(1), continuation=" x"))
    many = tuple(f"c{number}" for number in range(21))
    with pytest.raises(EngineStartError, match="of 20 tokens, not of 21"):
        body(Request(CHAT, Sampling(1), choices=many))
    engine = OpenAIEngine(EngineSettings(Model("m")), ["https://api.openai.com/v1"])
    assert engine.abilities == {"chat", "choices"}
    assert "continuation" in OpenAIEngine(EngineSettings(Model("m")), [URL]).abilities


def test_choices_that_begin_alike_are_refused() -> None:
    with pytest.raises(RearankError, match="'yes' and 'yellow' begin with the same token"):
        read_choices({"y": -1.0}, ("yes", "yellow"))


@given(
    st.dictionaries(st.sampled_from([*"ABCDEFG", " A", " B", "The"]), st.floats(-20, 0)),
    st.lists(st.sampled_from("ABCDEFG"), unique=True),
)
def test_a_letter_is_itself_before_anything_else(
    told: dict[str, float], letters: list[str]
) -> None:
    found = read_choices(told, letters)
    for letter in letters:
        expected = told.get(letter, told.get(f" {letter}"))
        assert found.get(letter) == expected


def test_an_answer_is_begun_for_the_server_and_kept_to_its_form() -> None:
    request = replace(LETTERS, choices=(), prefill="[", grammar=Grammar(r"(A|B)\]", 2))
    said = body(request)
    assert said["messages"][-1] == {"role": "assistant", "content": "["}
    assert (said["continue_final_message"], said["add_generation_prompt"]) == (True, False)
    assert said["structured_outputs"] == {"regex": r"(A|B)\]"}
    assert body(replace(request, prompt="A or B?"))["prompt"] == "A or B?["
    kept = {"message": {"content": "B]"}, "finish_reason": "stop"}
    assert completion(URL, reply(kept), request).text == "B]"


def test_a_server_that_ignores_a_grammar_is_found_out() -> None:
    request = replace(LETTERS, choices=(), grammar=Grammar(r"\[(1|2)\]", 3))
    free = {"message": {"content": "I like [2]"}, "finish_reason": "stop"}
    with pytest.raises(EngineError, match="does not keep an answer to its form"):
        completion(URL, reply(free), request)
