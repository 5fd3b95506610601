"""Prompt profiles: data files that say what the model is told about a window."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import read_lines
from rearank_cli.log import note
from rearank_cli.records import Message, Prompt

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
class Profile:
    """How to ask: message templates and the defaults that go with them.

    `passage_chars` is the length at which a passage is cut, in characters; `max_tokens` the
    longest answer; `thinks` whether reasoning comes before the answer; `chat_template` are
    switches for the model's own chat template, such as `enable_thinking`; `made_for` are models
    that it suits; `digest` is the file's SHA-256.
    """

    name: str
    digest: str
    turns: tuple[_Turn, ...]
    passage_chars: int = 400
    max_tokens: int = 2048
    thinks: bool = True
    chat_template: Mapping[str, Any] = field(default_factory=dict)
    made_for: Sequence[str] = ()

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


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the program."""
    folder = files("rearank_cli").joinpath("recipes")
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


@lru_cache
def load_profile(name: str) -> Profile:
    """Load a profile by its name or from a TOML file.

    Raises `RearankError` for a name that there is not, or a file that is no profile.
    """
    if name in profile_names():
        text = files("rearank_cli").joinpath("recipes", f"{name}.toml").read_text("utf-8")
    elif name.endswith(".toml"):
        text = "\n".join(line for _, line in read_lines(name))
    else:
        raise RearankError(
            f"expected a prompt profile, found {name!r}",
            hint=f"one of {', '.join(profile_names())}, or a .toml file",
        )
    try:
        return _profile(name, hashlib.sha256(text.encode()).hexdigest(), tomllib.loads(text))
    except (tomllib.TOMLDecodeError, TemplateError) as error:
        raise RearankError(f"{name}: {error}") from error


def advise(profile: Profile, model: str | None) -> None:
    """Say so when another profile was made for this very model; the choice stays the user's."""
    if model is None or model in profile.made_for:
        return
    for name in profile_names():
        if model in load_profile(name).made_for:
            note(f"note: the prompt {name} was made for {model}; --prompt {name} chooses it")


def _profile(name: str, digest: str, data: dict[str, Any]) -> Profile:
    for key, value in data.items():
        if key not in _FIELDS:
            raise RearankError(
                f"{name}: unknown field {key!r}",
                hint=f"a prompt profile has the fields {', '.join(_FIELDS)}",
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
    return Profile(name, digest, turns, **settings)


def _turn(name: str, environment: Environment, entry: Mapping[str, Any]) -> _Turn:
    role, content = entry.get("role"), entry.get("content")
    if role not in ROLES or not isinstance(content, str):
        raise RearankError(
            f"{name}: expected messages with a role ({', '.join(ROLES)}) and a content, "
            f"found {dict(entry)!r}"
        )
    return _Turn(role, environment.from_string(content), bool(entry.get("per_passage", False)))
