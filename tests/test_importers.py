"""Importing published prompts: files of the same making, with words of our own."""

from pathlib import Path
from typing import Any

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.recipes.importers import import_recipe
from rearank_cli.recipes.loading import parse_recipe
from rearank_cli.recipes.recipe import Recipe

TURNS = '''
import somewhere

LIMIT = 7

def opening(query, num):
    return [{'role': 'system', 'content': "You sort things."},
            {'role': 'user', 'content': f"Here come {num} texts about {query}. Say {{yes}}."},
            {'role': 'assistant', 'content': 'Go on.'}]

def closing(query, num):
    return f"Sort the {num} texts about: {query}.\\n" + "Like [2] > [1] {% raw %} {{ x }}."

def build(item=None, rank_start=0, rank_end=100, model_name='m'):
    """Build it."""
    query = item['query']
    num = len(item['hits'][rank_start: rank_end])
    max_length = 12
    messages = opening(query, num)
    rank = 0
    for hit in item['hits'][rank_start: rank_end]:
        rank += 1
        content = hit['content']
        content = content.replace('Head: ', '')
        content = content.strip()
        content = ' '.join(content.split()[:int(max_length)])
        messages.append({'role': 'user', 'content': f"[{rank}] {content}"})
        messages.append({'role': 'assistant', 'content': f'Got [{rank}].'})
    messages.append({'role': 'user', 'content': closing(query, num)})
    return messages

def other(text):
    return somewhere.run(text)
'''


def brought(folder: Path, name: str, text: str, function: str | None = None) -> Recipe:
    (folder / name).write_text(text)
    return parse_recipe("imported", import_recipe(str(folder / name), function))


def ran(text: str, function: str, *arguments: Any) -> Any:
    """Run the look-alike, as whoever wrote the original would."""
    scope: dict[str, Any] = {}
    exec(compile(text.replace("import somewhere\n", ""), "x", "exec"), scope)
    return [(each["role"], each["content"]) for each in scope[function](*arguments)]


@pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 20])
def test_messages_of_a_python_file_are_its_own_character_for_character(
    tmp_path: Path, count: int
) -> None:
    recipe = brought(tmp_path, "rank.py", TURNS)
    query, passages = "why {x} {{y}}", [f"word{n} {{{{ z }}}} [3] {{%" for n in range(count)]
    item = {"query": query, "hits": [{"content": each} for each in passages]}
    assert [tuple(each) for each in recipe.render(query, passages)] == ran(TURNS, "build", item)
    assert recipe.cut == ("words", 12)
    assert not recipe.thinks
    assert "rank.py, SHA-256 " in recipe.source


TWICE = TURNS + TURNS.replace("def build", "def again").replace("12", "9")


def test_of_several_functions_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(RearankError, match="several functions build messages: build, again"):
        brought(tmp_path, "rank.py", TWICE)
    assert brought(tmp_path, "rank.py", TWICE, "again").cut == ("words", 9)
    with pytest.raises(RearankError, match="no function 'none'"):
        brought(tmp_path, "rank.py", TWICE, "none")


def single(first: int) -> str:
    """Return a file whose one message holds all passages, numbered from `first`."""
    return (
        "def make(query, passages):\n"
        "    shown = ''\n"
        f"    for i, passage in enumerate(passages, {first}):\n"
        "        shown += f'<{i}> ({i}) {passage[:40]}\\n'\n"
        "    text = f'{query}\\n' + shown + f'That was {len(passages)}. <think>'\n"
        "    return [{'role': 'user', 'content': text}]\n"
    )


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_passages_in_a_single_message(tmp_path: Path, count: int) -> None:
    recipe = brought(tmp_path, "one.py", single(1))
    passages = [f"text {n}" for n in range(count)]
    made = [tuple(each) for each in recipe.render("why", passages)]
    assert made == ran(single(1), "make", "why", passages)
    assert recipe.cut == ("chars", 40)
    assert recipe.thinks


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("def f(query, docs):\n    import os\n    return []\n", 2, "Import"),
        ("def f(query, docs):\n    return open(query)\n", 2, "a call of open"),
        ("def f(query, docs):\n    return query.__class__\n", 2, "Attribute"),
        ("def f(query, docs):\n    return query.format(1)\n", 2, "the method format"),
        ("def f(query, docs):\n    while True:\n        pass\n", 2, "While"),
        ("def f(query, docs):\n    if docs:\n        return []\n", 2, "If"),
        ("def f(query, docs):\n    return [d for d in docs]\n", 2, "ListComp"),
        ("def f(query, docs):\n    return f'{query!r}'\n", 2, "a format of a value"),
        ("def f(query, docs):\n    return f(query, docs)\n", 1, "too deeply"),
        ("def f(query, docs):\n    return docs[0][3:]\n", 2, "more than cut the end"),
        ("def f(query, docs):\n    return nothing\n", 2, "'nothing' is not known"),
        ("def f(query, docs):\n    return query\n", 1, "returns no messages"),
        ("def f(query, docs, tokenizer):\n    return []\n", 1, "parameter 'tokenizer'"),
        ("def f(query, docs):\n    return [*docs]\n", 2, "Starred"),
        ("def f(query:\n", 1, "not Python"),
        ("x = 1\n", 0, "no function builds messages"),
        (single(5), 1, "do not follow each other"),
    ],
)
def test_anything_else_is_refused_naming_the_line(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    with pytest.raises(RearankError, match=why) as caught:
        brought(tmp_path, "x.py", text)
    assert f"x.py:{line}:" in caught.value.message or not line


def test_nothing_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    text = f"open({str(mark)!r}, 'w')\n" + TURNS
    brought(tmp_path, "rank.py", text)
    assert not mark.exists()


YAML = r"""method: "singleturn_listwise"
system_message: "You sort texts { with care }."
prefix: |
  Here are {num} texts for: {query}.
body: |
  [{rank}] {candidate}
suffix: |-
  Sort the {num} texts for {query}, {{like}} [2] > [1].
output_extraction_regex: r"\[(\d+)\]"
"""


@pytest.mark.parametrize("count", [1, 2, 20])
def test_a_template_of_one_turn(tmp_path: Path, count: int) -> None:
    recipe = brought(tmp_path, "a_template.yaml", YAML)
    passages = [f"p{n}" for n in range(count)]
    body = "".join(f"[{n}] p{n - 1}\n" for n in range(1, count + 1))
    system, user = recipe.render("why", passages)
    assert system.content == "You sort texts { with care }."
    assert user.content == (
        f"Here are {count} texts for: why.\n{body}"
        f"Sort the {count} texts for why, {{like}} [2] > [1]."
    )
    assert (recipe.kind, recipe.cut) == ("order", ("words", 300))


def test_a_template_of_letters(tmp_path: Path) -> None:
    recipe = brought(tmp_path, "alpha.yaml", YAML.replace(r"(\d+)", "([A-Z])"))
    assert recipe.kind == "letters"
    assert "[A] one\n[B] two\n" in recipe.render("q", ["one", "two"])[1].content


def test_a_template_of_many_turns(tmp_path: Path) -> None:
    text = YAML.replace("singleturn", "multiturn").replace("body:", "body_user:")
    text += 'prefix_assistant: "Go on."\nbody_assistant: "Got {rank}."\n'
    recipe = brought(tmp_path, "many.yaml", text)
    roles = [each.role for each in recipe.render("q", ["one", "two"])]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    assert recipe.render("q", ["one"])[4].content == "Got 1."


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (YAML.replace("singleturn_listwise", "pairwise"), "found 'pairwise'"),
        (YAML + "few_shot: x\n", "'few_shot' is not known"),
        (YAML.replace("{candidate}", "{candidate} {score}"), "found 'score'"),
        (YAML.replace("{query}", "{query!r}"), "found 'query'"),
        ("method: [", "x.yaml: "),
        ("- a\n", "expected a template"),
        ('method: "listwise"\nsuffix: "x"\n', "expected a body"),
    ],
)
def test_templates_that_cannot_be_read_in_full_are_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(RearankError) as caught:
        brought(tmp_path, "x.yaml", text)
    assert why in caught.value.message


def test_the_installed_package_is_looked_up_and_not_there(tmp_path: Path) -> None:
    with pytest.raises(RearankError, match="rank-llm is not installed"):
        import_recipe("rank_llm:rank_zephyr")


PROMPT = r"""prompt_system = "You choose."
prompt_user = '''For "{query}" choose from:
{docs}
Say <answer>[3]</answer> after <think> </think>.'''
pattern = '<answer>(.*?)</answer>\s*'
doc_separator = "\n--\n"
doc_prefix = "[{num}]: "
"""


def test_a_prompt_that_asks_for_a_choice(tmp_path: Path) -> None:
    recipe = brought(tmp_path, "choose.toml", PROMPT)
    system, user = recipe.render("why", ["one", "two"])
    assert system.content == "You choose."
    assert user.content == (
        'For "why" choose from:\n[1]: one\n--\n[2]: two\n'
        "Say <answer>[3]</answer> after <think> </think>."
    )
    assert (recipe.kind, recipe.method, recipe.thinks) == ("choice", "setwise", True)


def test_a_prompt_that_asks_for_an_order(tmp_path: Path) -> None:
    text = PROMPT.replace("Say <answer>[3]</answer> after <think> </think>.", "Say [2] > [1].")
    recipe = brought(tmp_path, "order.toml", text)
    assert (recipe.kind, recipe.method, recipe.thinks) == ("order", "sliding", False)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("x.toml", PROMPT.replace("{docs}", "{doc}"), "found 'doc'"),
        ("x.toml", PROMPT + 'more = "x"\n', "'more' is not known"),
        ("x.toml", 'prompt_system = "x"\n', "expected prompt_user"),
        ("x.toml", "prompt_user = [", "x.toml: "),
        ("x.txt", "x", "expected a .yaml, .toml or .py file"),
    ],
)
def test_prompts_that_cannot_be_read_are_refused(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    with pytest.raises(RearankError) as caught:
        brought(tmp_path, name, text)
    assert why in caught.value.message
