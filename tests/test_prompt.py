from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.recipes.recipe import load_recipe, recipe_names


def test_the_rearank_profile_has_the_turns_the_model_was_trained_on() -> None:
    prompt = load_recipe("rearank").render("why is the sky blue", ["light", "paint"])
    roles = [message.role for message in prompt]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    assert [prompt[3].content, prompt[5].content] == ["[1] light", "[2] paint"]
    assert "<answer> [2] > [1] </answer>" in prompt[1].content
    assert "<think>" in prompt[-1].content
    assert all("why is the sky blue" in prompt[index].content for index in (1, -1))
    assert "2 passages" in prompt[1].content


@pytest.mark.parametrize("name", recipe_names())
def test_every_profile_shows_the_query_and_each_passage_once(name: str) -> None:
    prompt = load_recipe(name).render("the query", ["alpha", "beta", "gamma"])
    text = "\n".join(message.content for message in prompt)
    assert "the query" in text
    for number, passage in enumerate(["alpha", "beta", "gamma"], 1):
        assert text.count(f"[{number}] {passage}") == 1
    assert prompt[-1].role == "user"


def test_the_names_of_the_profiles() -> None:
    assert recipe_names() == ["qwen3", "rankgpt", "rearank"]


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "passage_chars = 50\nmax_tokens = 9\nthinks = false\n"
        '[[messages]]\nrole = "user"\ncontent = "{{ query }}: {{ passages | join(\' / \') }}"\n'
    )
    profile = load_recipe(str(file))
    assert profile.render("q", ["a", "b"])[0].content == "q: a / b"
    assert (profile.passage_chars, profile.max_tokens, profile.thinks) == (50, 9, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[messages]", "mine.toml: Expected"),
        ("max_tokens = 1", "expected [[messages]]"),
        ('colour = "red"\n[[messages]]\nrole = "user"\ncontent = "x"', "unknown field 'colour'"),
        ('[[messages]]\nrole = "robot"\ncontent = "x"', "expected messages with a role"),
        ('[[messages]]\nrole = "user"\ncontent = "{{ x"', "mine.toml"),
        ('max_tokens = "many"\n[[messages]]\nrole = "user"\ncontent = "x"', "max_tokens"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(RearankError) as caught:
        load_recipe(str(file))
    assert message in caught.value.message


def test_a_template_with_an_unknown_variable_fails_when_it_is_used(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[messages]]\nrole = "user"\ncontent = "{{ queri }}"\n')
    with pytest.raises(RearankError, match="queri"):
        load_recipe(str(file)).render("q", ["a"])


def test_a_template_cannot_reach_into_python(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[messages]]\nrole = "user"\ncontent = "{{ query.__class__.__mro__ }}"\n')
    with pytest.raises(RearankError):
        load_recipe(str(file)).render("q", ["a"])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(RearankError) as caught:
        load_recipe("rerank")
    assert "rearank" in caught.value.hint
