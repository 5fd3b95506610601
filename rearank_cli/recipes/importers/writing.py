"""Recipes as TOML, and templates as Jinja."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from string import Formatter
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.recipes.recipe import CUTS

_OPENING = re.compile(r"\{(?=[{%#])")

Turns = Sequence[tuple[str, str, bool]]
"""Role, template and whether it is repeated for each passage."""


def origin(name: str, text: str) -> str:
    """Return what a file is known by: its name and digest."""
    return f"{PurePath(name).name}, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


def literal(text: str) -> str:
    """Return text as a template that renders as it stands."""
    # A brace before a loop or variable of ours would open something else together with it.
    text = _OPENING.sub("{{ '{' }}", text)
    return f"{text[:-1]}{{{{ '{{' }}}}" if text.endswith("{") else text


def from_format(name: str, text: str, fields: Mapping[str, str]) -> str:
    """Turn a Python format string into a template; `fields` are templates by field name.

    Raises `RearankError` for a field that there is not.
    """
    made = []
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise RearankError(f"{name}: not a format string: {error}") from error
    for words, field, spec, conversion in parts:
        made.append(literal(words))
        if field is None:
            continue
        if field not in fields or spec or conversion:
            raise RearankError(
                f"{name}: expected the fields {', '.join(sorted(fields))}, found {field!r}"
            )
        made.append(fields[field])
    return "".join(made)


def recipe_toml(about: Mapping[str, Any], turns: Turns) -> str:
    """Return a recipe's file. Messages keep their white space unless `about` says otherwise."""
    lines = [f"{key} = {_value(value)}" for key, value in about.items()]
    lines += ["strip = false"] * ("strip" not in about)
    for role, content, per_passage in turns:
        lines += ["", "[[messages]]", f"role = {_value(role)}"]
        lines += ["per_passage = true"] * per_passage
        lines.append(f"content = {_value(content)}")
    return "\n".join(lines) + "\n"


def with_fields(text: str, fields: Mapping[str, Any]) -> str:
    """Return a recipe's file with some fields said otherwise; a cut takes the place of a cut."""
    about = tomllib.loads(text)
    turns = [
        (each["role"], each["content"], each.get("per_passage", False))
        for each in about.pop("messages", [])
    ]
    if set(CUTS) & set(fields):
        about = {key: value for key, value in about.items() if key not in CUTS}
    return recipe_toml({**about, "strip": about.get("strip", True), **fields}, turns)


def _value(value: Any) -> str:
    """Return a value as TOML; JSON's forms of texts, numbers, switches and lists are TOML's too."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
