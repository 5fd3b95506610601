"""From a TOML file to a recipe, with every mistake named."""

import hashlib
import tomllib
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import Any, get_args

from jinja2 import TemplateError

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import read_lines
from rearank_cli.recipes.recipe import CUTS, SAMPLING, Recipe, cut_of
from rearank_cli.recipes.templates import Turn, template
from rearank_cli.records import Kind, Sampling

ROLES = ("system", "user", "assistant")
LONGEST = 2048  # tokens, for answers that nobody limits
EXPECTED = ("collection", "first_stage", "measure", "value")
FIELDS: dict[str, tuple[type, ...]] = {
    "description": (str,),
    "method": (str,),
    "numbers": (dict,),
    "answer": (str,),
    "identifiers": (str,),
    "logprobs": (bool,),
    "choices": (list,),
    "messages": (list,),
    "text": (str,),
    "continuation": (str,),
    "exemplars": (list,),
    "passage_chars": (int,),
    "passage_words": (int,),
    "passage_tokens": (int,),
    "title": (bool,),
    "sampling": (dict,),
    "max_tokens": (int,),
    "max_thinking_tokens": (int,),
    "thinks": (bool,),
    "prefill": (str,),
    "closing": (str,),
    "force_format": (bool,),
    "chat_template": (dict,),
    "strip": (bool,),
    "made_for": (list,),
    "adapter": (str,),
    "source": (str,),
    "expected": (dict,),
}
_FIRST_TOKEN = ("choice", "judgement")
_AS_THEY_ARE = (
    "description",
    "method",
    "numbers",
    "title",
    "max_thinking_tokens",
    "chat_template",
    "prefill",
    "closing",
    "force_format",
    "strip",
    "made_for",
    "adapter",
    "source",
    "expected",
)


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the program."""
    folder = files("rearank_cli").joinpath("recipes")
    names = {entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return sorted(names - {"originals"})  # a catalogue of others


def recipe_text(name: str) -> str:
    """Return the text of a recipe by its name, of a TOML file, or the original of a model by id.

    Raises `RearankError` for a name that there is not, and an original that cannot be had.
    """
    from rearank_cli.recipes.originals import find_original

    if name in recipe_names():
        return files("rearank_cli").joinpath("recipes", f"{name}.toml").read_text("utf-8")
    if name.endswith(".toml"):
        return "\n".join(line for _, line in read_lines(name))
    if found := find_original(name):
        return found[1].text(found[0])
    near = get_close_matches(name, recipe_names(), 1)
    raise RearankError(
        f"expected a recipe, found {name!r}",
        hint=(f"did you mean {near[0]}? " if near else "")
        + f"there are {', '.join(recipe_names())}, a .toml file, or a published model's id "
        "(rearank recipe list)",
    )


@lru_cache
def load_recipe(name: str) -> Recipe:
    """Load a recipe by its name, from a TOML file, or a published model's by its id.

    Raises `RearankError` for a name that there is not, or a file that is no recipe.
    """
    return parse_recipe(name, recipe_text(name))


def parse_recipe(name: str, text: str) -> Recipe:
    """Return the recipe that a TOML text says; `name` is for messages."""
    try:
        return _recipe(name, hashlib.sha256(text.encode()).hexdigest(), tomllib.loads(text))
    except (tomllib.TOMLDecodeError, TemplateError) as error:
        raise RearankError(f"{name}: {error}") from error


def _recipe(name: str, digest: str, data: dict[str, Any]) -> Recipe:
    _check_keys(name, data, FIELDS)
    for key, value in data.items():
        if type(value) not in FIELDS[key]:
            raise RearankError(
                f"{name}: expected {key} to be {FIELDS[key][0].__name__}, found {value!r}"
            )
    for table, known in (("sampling", SAMPLING), ("expected", EXPECTED)):
        _check_keys(f"{name}: [{table}]", data.get(table, {}), known)
    parts = {key: data[key] for key in _AS_THEY_ARE if key in data}
    parts["draws"] = data.get("sampling", {})
    cut = cut_of({key: data[key] for key in CUTS if key in data}, name)
    if cut:
        parts["cut"] = cut
    recipe = Recipe(name, digest, **parts, **_asking(name, data), **_answering(name, data))
    _check_sampling(name, recipe)
    return recipe


def _check_keys(name: str, data: dict[str, Any], known: Any) -> None:
    for key in data:
        if key not in known:
            near = get_close_matches(key, list(known), 1)
            raise RearankError(
                f"{name}: unknown field {key!r}",
                hint=f"did you mean {near[0]!r}?"
                if near
                else f"a recipe has the fields {', '.join(known)}",
            )


def _asking(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown: messages or a plain text, and what stands before and behind it."""
    if data.get("answer") == "relevance":
        if said := {"messages", "text", "continuation"} & set(data):
            raise RearankError(
                f"{name}: expected no {' and no '.join(sorted(said))} with answers of the kind "
                "relevance: query and passage are shown as they are"
            )
        return {}
    if ("messages" in data) == ("text" in data) or data.get("messages") == []:
        found = "both" if "text" in data and "messages" in data else "none"
        raise RearankError(f"{name}: expected [[messages]] or text, found {found}")
    exemplars = data.get("exemplars", [])
    for each in exemplars:
        wanted = isinstance(each, dict) and {"passage", "query"} <= set(each)
        if not wanted or not set(each) <= {"passage", "query", "answer"}:
            raise RearankError(
                f"{name}: expected exemplars with a passage, a query and perhaps an answer, "
                f"found {each!r}"
            )
    if exemplars and "text" not in data:
        raise RearankError(f"{name}: exemplars stand before a text; messages can hold their own")
    return {
        "turns": tuple(_turn(name, entry) for entry in data.get("messages", [])),
        "text": template(data["text"]) if "text" in data else None,
        "continuation": template(data["continuation"]) if "continuation" in data else None,
        "exemplars": tuple(exemplars),
    }


def _turn(name: str, entry: Any) -> Turn:
    entry = entry if isinstance(entry, dict) else {"content": entry}
    role, content = entry.get("role"), entry.get("content")
    if role not in ROLES or not isinstance(content, str):
        raise RearankError(
            f"{name}: expected messages with a role ({', '.join(ROLES)}) and a content, "
            f"found {entry!r}"
        )
    _check_keys(f"{name}: [[messages]]", entry, ("role", "content", "per_passage"))
    return Turn(role, template(content), bool(entry.get("per_passage", False)))


def _answering(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what is answered and how it is read; raise `RearankError` for contradictions."""
    kind = data.get("answer", "order")
    if kind not in get_args(Kind):
        raise RearankError(
            f"{name}: expected answer to be one of {', '.join(get_args(Kind))}, found {kind!r}"
        )
    thinks = data.get("thinks", "text" not in data and kind in ("order", "scores"))
    logprobs = kind == "letters" or data.get("logprobs", kind == "judgement" and not thinks)
    names = data.get("identifiers", "letters" if logprobs else "numbers")
    for wrong, why in (
        (names not in ("numbers", "letters"), "identifiers to be numbers or letters"),
        (logprobs and thinks, "no logprobs with thinks: reasoning is a model's first tokens"),
        (
            logprobs and kind not in (*_FIRST_TOKEN, "letters"),
            f"logprobs for {' or '.join(_FIRST_TOKEN)} alone",
        ),
        (logprobs and names == "numbers" and kind != "judgement", "letters with logprobs"),
        ((kind == "likelihood") != ("continuation" in data), "a continuation for likelihood"),
        (("choices" in data) != (kind == "judgement"), "choices for a judgement"),
        ("prefill" in data and "text" in data, "prefill behind messages; a text can end with it"),
        ("closing" in data and not thinks, "closing where thinks = true"),
    ):
        if wrong:
            raise RearankError(f"{name}: expected {why}")
    short = logprobs or kind in ("likelihood", "relevance")
    return {
        "kind": kind,
        "thinks": thinks,
        "logprobs": logprobs,
        "letters": names == "letters",
        "choices": _choices(name, data.get("choices", [])),
        "max_tokens": data.get("max_tokens", 1 if short else LONGEST),
    }


def _choices(name: str, choices: list[Any]) -> tuple[str, ...]:
    texts = all(isinstance(each, str) and each.strip() for each in choices)
    numbers = texts and all(each.isascii() and each.isdigit() for each in choices)
    pair = len(choices) in (0, 2)
    if not texts or len(set(choices)) != len(choices) or not (numbers or pair):
        raise RearankError(
            f"{name}: expected choices to be a word for yes and one for no, or numbers, each in "
            f"quotes and once; found {choices!r}"
        )
    return tuple(choices)


def _check_sampling(name: str, recipe: Recipe) -> Sampling:
    try:
        return recipe.sampling
    except (RearankError, TypeError) as error:
        raise RearankError(f"{name}: {error}") from error
