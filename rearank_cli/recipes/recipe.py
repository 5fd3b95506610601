"""Recipes: data files that say how a model is asked."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import groupby
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import read_lines
from rearank_cli.log import note
from rearank_cli.records import Kind, Message, Prompt, Request, Sampling

ROLES = ("system", "user", "assistant")
_FIELDS = {
    "description": str,
    "messages": list,
    "passage_chars": int,
    "max_tokens": int,
    "thinks": bool,
    "chat_template": dict,
    "made_for": list,
}


@dataclass(frozen=True, slots=True)
class _Turn:
    role: Any
    template: Template
    per_passage: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to ask: message templates and the defaults that go with them.

    `passage_chars` is the length at which a passage is cut, in characters; `max_tokens` the
    longest answer; `thinks` whether reasoning comes before the answer; `chat_template` are
    switches for the model's own chat template, such as `enable_thinking`; `made_for` are models
    that it suits; `digest` is the file's SHA-256.
    """

    name: str
    digest: str
    turns: tuple[_Turn, ...]
    kind: Kind = "order"
    passage_chars: int = 400
    max_tokens: int = 2048
    thinks: bool = True
    chat_template: Mapping[str, Any] = field(default_factory=dict)
    made_for: Sequence[str] = ()

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn, unless the user says otherwise."""
        return Sampling(self.max_tokens)

    def request(self, query: str, passages: Sequence[str], sampling: Sampling) -> Request:
        """Return what the engine is asked about some passages, drawn as `sampling` says."""
        return Request(self.render(query, passages), sampling, self.chat_template)

    def render(self, query: str, passages: Sequence[str]) -> Prompt:
        """Return the messages for one window; texts must be clean (see `text.Cleaner`).

        Neighbouring turns marked `per_passage` are repeated together, once for each passage.
        Raises `RearankError` when a template asks for a variable that there is not.
        """
        shared = {"query": query, "num": len(passages), "passages": passages}
        messages: list[Message] = []
        try:
            for per_passage, group in groupby(self.turns, key=lambda turn: turn.per_passage):
                turns = list(group)
                for number, passage in enumerate(passages if per_passage else [""], 1):
                    values = {**shared, "number": number, "passage": passage}
                    messages += [
                        Message(turn.role, turn.template.render(values).strip()) for turn in turns
                    ]
        except TemplateError as error:
            raise RearankError(f"prompt {self.name}: {error}") from error
        return tuple(messages)


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the program."""
    folder = files("rearank_cli").joinpath("recipes")
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


@lru_cache
def load_recipe(name: str) -> Recipe:
    """Load a recipe by its name or from a TOML file.

    Raises `RearankError` for a name that there is not, or a file that is no recipe.
    """
    if name in recipe_names():
        text = files("rearank_cli").joinpath("recipes", f"{name}.toml").read_text("utf-8")
    elif name.endswith(".toml"):
        text = "\n".join(line for _, line in read_lines(name))
    else:
        raise RearankError(
            f"expected a recipe, found {name!r}",
            hint=f"one of {', '.join(recipe_names())}, or a .toml file",
        )
    try:
        return _recipe(name, hashlib.sha256(text.encode()).hexdigest(), tomllib.loads(text))
    except (tomllib.TOMLDecodeError, TemplateError) as error:
        raise RearankError(f"{name}: {error}") from error


def advise(recipe: Recipe, model: str) -> None:
    """Say so when another recipe was made for this very model; the choice stays the user's.

    A folder counts as the model whose id ends in its name.
    """
    if _made_for(recipe, model):
        return
    for name in recipe_names():
        if _made_for(load_recipe(name), model):
            note(f"note: the recipe {name} was made for {model}; --recipe {name} chooses it")


def _made_for(recipe: Recipe, model: str) -> bool:
    ids = {each.lower() for each in recipe.made_for}
    folder = PurePath(model).name.lower()
    return model.lower() in ids or folder in {each.rpartition("/")[2] for each in ids}


def _recipe(name: str, digest: str, data: dict[str, Any]) -> Recipe:
    for key, value in data.items():
        if key not in _FIELDS:
            raise RearankError(
                f"{name}: unknown field {key!r}",
                hint=f"a recipe has the fields {', '.join(_FIELDS)}",
            )
        if type(value) is not _FIELDS[key]:
            raise RearankError(
                f"{name}: expected {key} to be {_FIELDS[key].__name__}, found {value!r}"
            )
    if not data.get("messages"):
        raise RearankError(f"{name}: expected [[messages]], found none")
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    turns = tuple(_turn(name, environment, entry) for entry in data["messages"])
    settings = {key: data[key] for key in data if key not in ("description", "messages")}
    return Recipe(name, digest, turns, **settings)


def _turn(name: str, environment: Environment, entry: Mapping[str, Any]) -> _Turn:
    role, content = entry.get("role"), entry.get("content")
    if role not in ROLES or not isinstance(content, str):
        raise RearankError(
            f"{name}: expected messages with a role ({', '.join(ROLES)}) and a content, "
            f"found {dict(entry)!r}"
        )
    return _Turn(role, environment.from_string(content), bool(entry.get("per_passage", False)))
