from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.methods import make_method
from rearank_cli.recipes.choosing import better, choose_recipe
from rearank_cli.recipes.loading import load_recipe, parse_recipe, recipe_names
from rearank_cli.records import Request, Sampling
from rearank_cli.reranking.asking import check_recipe
from rearank_cli.reranking.reranker import method_for


def test_the_rearank_profile_has_the_turns_the_model_was_trained_on() -> None:
    prompt = load_recipe("rearank").render("why is the sky blue", ["light", "paint"])
    roles = [message.role for message in prompt]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    assert [prompt[3].content, prompt[5].content] == ["[1] light", "[2] paint"]
    assert "<answer> [2] > [1] </answer>" in prompt[1].content
    assert "<think>" in prompt[-1].content
    assert all("why is the sky blue" in prompt[index].content for index in (1, -1))
    assert "2 passages" in prompt[1].content


MANY = ["rearank", "rankgpt", "qwen3", "choice", "groups", "letters"]
SINGLE = ["judgement", "likelihood"]


def told(request: Request) -> str:
    """Return everything that a model is shown, and what follows."""
    prompt = request.prompt
    shown = prompt if isinstance(prompt, str) else "\n".join(each.content for each in prompt)
    return shown + request.continuation


def test_the_names_of_the_recipes() -> None:
    assert recipe_names() == sorted([*MANY, *SINGLE, "relevance"])


def test_scores_need_no_words(tmp_path: Path) -> None:
    request = load_recipe("relevance").request("why is it so", ["alpha"])
    assert (request.prompt, request.passage) == ("why is it so", "alpha")
    with pytest.raises(RearankError, match="expected no text with answers of the kind relevance"):
        parse_recipe("mine", 'answer = "relevance"\ntext = "{{ query }}"\n')


@pytest.mark.parametrize("name", MANY)
def test_recipes_of_many_passages_show_the_query_and_each_passage_once(name: str) -> None:
    recipe = load_recipe(name)
    text = told(recipe.request("why is it so", ["alpha", "beta", "gamma"]))
    assert "why is it so" in text
    for number, passage in enumerate(["alpha", "beta", "gamma"]):
        shown = f"{'ABC'[number]}: {passage}" if recipe.letters else f"[{number + 1}] {passage}"
        assert text.count(shown) == 1


@pytest.mark.parametrize("name", SINGLE)
def test_recipes_of_one_passage_show_the_query_and_the_passage_once(name: str) -> None:
    text = told(load_recipe(name).request("why is it so", ["alpha"]))
    assert text.count("why is it so") == text.count("alpha") == 1


@pytest.mark.parametrize("name", [*MANY, *SINGLE, "relevance"])
def test_a_shipped_recipes_method_can_use_its_answers(name: str) -> None:
    recipe = load_recipe(name)
    check_recipe(recipe, method_for(recipe, None, None))
    assert recipe.description
    assert recipe.source


def test_thinking_models_are_sampled_as_their_makers_advise() -> None:
    drawn = load_recipe("qwen3").sampling
    assert (drawn.temperature, drawn.top_p, drawn.top_k) == (0.6, 0.95, 20)
    assert load_recipe("rearank").sampling == Sampling(2048)


def test_exemplars_are_the_same_text_before_every_passage() -> None:
    recipe = parse_recipe(
        "x",
        "answer = 'likelihood'\nmethod = 'pointwise'\n"
        'text = "Passage: {{ passage }}\\nQuestion:"\ncontinuation = " {{ query }}"\n'
        '[[exemplars]]\npassage = "P"\nquery = "Q"\n',
    )
    asked = recipe.request("why", ["light"])
    assert asked.prompt == "Passage: P\nQuestion: Q\n\nPassage: light\nQuestion:"
    assert asked.continuation == " why"
    assert asked.sampling.max_tokens == 1


def test_a_recipe_is_chosen_by_the_exact_id_of_its_model() -> None:
    assert choose_recipe(None, "Qwen/Qwen3-8B")[0].name == "qwen3"
    assert choose_recipe(None, "qwen/qwen3-8b")[1] == "made for qwen/qwen3-8b"
    assert choose_recipe(None, "Qwen/Qwen3-8B-Base")[0].name == "rearank"
    assert choose_recipe("rankgpt", "Qwen/Qwen3-8B")[0].name == "rankgpt"
    assert better(load_recipe("rankgpt"), "./models/Qwen3-8B") == "qwen3"
    assert better(load_recipe("qwen3"), "Qwen/Qwen3-8B") is None


def test_single_numbers_are_said_otherwise() -> None:
    recipe = load_recipe("qwen3").changed(
        max_tokens=9, temperature=0.0, passage_words=30, seed=None
    )
    assert recipe.sampling == Sampling(9, 0.0, 0, 0.95, 20)
    assert recipe.cut == ("words", 30)
    with pytest.raises(RearankError, match="passage_chars and passage_words"):
        recipe.changed(passage_chars=3, passage_words=3)
    with pytest.raises(RearankError, match="max_tokens"):
        recipe.changed(max_tokens=0)


def test_a_method_of_ones_own_takes_what_it_knows_of_the_recipes_numbers() -> None:
    recipe = load_recipe("letters")
    assert method_for(recipe, None, {"stride": None}) == make_method("sliding", {"stride": 10})
    assert method_for(recipe, "topdown", {"top": 5}) == make_method("topdown", {"top": 5})
    with pytest.raises(RearankError, match="no children"):
        method_for(recipe, None, {"children": 3})


MESSAGE = '[[messages]]\nrole = "user"\ncontent = "x"\n'
TEXT = 'text = "x"\n'


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (f"max_token = 3\n{MESSAGE}", "unknown field 'max_token'", "did you mean 'max_tokens'?"),
        (f"{MESSAGE}per_pasage = true\n", "unknown field 'per_pasage'", "'per_passage'?"),
        (f"{TEXT}[sampling]\ntop = 3\n", "x: [sampling]: unknown field 'top'", "'top_"),
        (f"{TEXT}[sampling]\ntop_p = 3\n", "`top_p`", ""),
        (f"{TEXT}[sampling]\ntop_p = 'a'\n", "x: ", ""),
        (f"{TEXT}answer = 'rank'\n", "expected answer to be one of order, choice", ""),
        (TEXT + MESSAGE, "expected [[messages]] or text, found both", ""),
        (f"{TEXT}passage_chars = 3\npassage_words = 3\n", "passage_chars and passage_words", ""),
        (f"{TEXT}passage_chars = 0\n", "`passage_chars`", ""),
        (f"{TEXT}answer = 'likelihood'\n", "a continuation for likelihood", ""),
        (f"{TEXT}continuation = 'x'\n", "a continuation for likelihood", ""),
        (f"{TEXT}answer = 'judgement'\n", "choices for a judgement", ""),
        (f"{TEXT}answer = 'judgement'\nchoices = ['a', 'b', 'c']\n", "expected choices", ""),
        (f"{TEXT}answer = 'judgement'\nchoices = [0, 1]\n", "expected choices", ""),
        (f"{TEXT}answer = 'letters'\nthinks = true\n", "no logprobs with thinks", ""),
        (f"{TEXT}answer = 'scores'\nlogprobs = true\n", "choice or judgement alone", ""),
        (f"{TEXT}[[exemplars]]\npassage = 'x'\n", "expected exemplars", ""),
        (f"{TEXT}[expected]\nvalu = 1\n", "unknown field 'valu'", "'value'?"),
        (f"{TEXT}messages = [1]\n", "found both", ""),
        ("messages = [1]\n", "expected messages with a role", ""),
    ],
)
def test_mistakes_in_a_recipe_are_named(text: str, message: str, hint: str) -> None:
    with pytest.raises(RearankError) as caught:
        parse_recipe("x", text)
    assert message in caught.value.message
    assert hint in caught.value.hint


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
