"""Recipes as TOML, and templates as Jinja."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from string import Formatter
from typing import Any

from rearank_cli.errors import RearankError

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
    """Return a recipe's file. Messages keep their white space."""
    lines = [f"{key} = {_value(value)}" for key, value in about.items()]
    lines.append("strip = false")
    for role, content, per_passage in turns:
        lines += ["", "[[messages]]", f"role = {_value(role)}"]
        lines += ["per_passage = true"] * per_passage
        lines.append(f"content = {_value(content)}")
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a text, number, switch, or list of texts as TOML; JSON's forms are TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
