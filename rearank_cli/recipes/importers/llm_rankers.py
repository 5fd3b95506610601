"""llm-rankers' TOML prompts (Rank-R1): a system and a user message with documents in it."""

import tomllib
from pathlib import PurePath
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.recipes.importers.writing import from_format, literal, origin, recipe_toml

_KNOWN = {"prompt_system", "prompt_user", "pattern", "doc_separator", "doc_prefix", "ground_truth"}


def convert(name: str, text: str) -> str:
    """Return a prompt as a recipe; raise `RearankError` for one that cannot be asked so.

    A prompt that shows an order such as `[2] > [1]` asks for an order, any other one for a choice.
    """
    parts = _parts(name, text)
    separator = literal(parts.get("doc_separator", "\n"))
    number = {"num": "{{ identifiers[loop.index0] }}"}
    prefix = from_format(name, parts.get("doc_prefix", "[{num}] "), number)
    between = f"{{% if not loop.last %}}{separator}{{% endif %}}"
    docs = f"{{% for passage in passages %}}{prefix}{{{{ passage }}}}{between}{{% endfor %}}"
    fields = {"query": "{{ query }}", "docs": docs, "num": "{{ num }}"}
    system = parts.get("prompt_system")
    turns = [("system", literal(system), False)] if system else []
    turns.append(("user", from_format(name, parts["prompt_user"], fields), False))
    thinks = "<think>" in text
    ordered = "] > [" in parts["prompt_user"]
    about: dict[str, Any] = {
        "description": f"Imported from {PurePath(name).name}, a prompt of llm-rankers.",
        "source": origin(name, text),
        "answer": "order" if ordered else "choice",
        "method": "sliding" if ordered else "setwise",
        "max_tokens": 2048 if thinks or ordered else 32,
        "thinks": thinks,
    }
    return recipe_toml(about, turns)


def _parts(name: str, text: str) -> dict[str, str]:
    try:
        parts = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RearankError(f"{name}: {error}") from error
    if not isinstance(parts.get("prompt_user"), str):
        raise RearankError(f"{name}: expected prompt_user, found none")
    for key, value in parts.items():
        if key not in _KNOWN or not isinstance(value, str):
            raise RearankError(f"{name}: cannot be read in full: {key!r} is not known")
    return parts
