"""rank_llm's YAML templates: system message, prefix, body for each passage, suffix."""

import importlib.util
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.recipes.importers.writing import from_format, literal, origin, recipe_toml

_METHODS = ("listwise", "singleturn_listwise", "multiturn_listwise")
_KNOWN = {
    "method",
    "system_message",
    "prefix",
    "prefix_user",
    "prefix_assistant",
    "body",
    "body_user",
    "body_assistant",
    "suffix",
    "suffix_user",
    "output_validation_regex",
    "output_extraction_regex",
}
# What rank_llm's own commands take unless told otherwise.
_WORDS = 300
_SHARED = {"query": "{{ query }}", "num": "{{ num }}"}


def installed(name: str) -> tuple[str, str]:
    """Return name and text of a template of the installed package; it is not imported."""
    found = importlib.util.find_spec("rank_llm")
    folders = list(found.submodule_search_locations or []) if found else []
    if not folders:
        raise RearankError(
            f"rank_llm:{name}: the package rank-llm is not installed here",
            hint="give the template's file instead",
        )
    folder = Path(folders[0]) / "rerank" / "prompt_templates"
    for each in (name, f"{name}.yaml", f"{name}_template.yaml"):
        if (folder / each).is_file():
            return each, (folder / each).read_text("utf-8")
    there = sorted(path.stem for path in folder.glob("*.yaml"))
    raise RearankError(f"rank_llm:{name}: no such template", hint=f"there are {', '.join(there)}")


def convert(name: str, text: str) -> str:
    """Return a template as a recipe; raise `RearankError` for one that cannot be asked so."""
    parts = _parts(name, text)
    alpha = "A-Z" in str(parts.get("output_extraction_regex", ""))
    turns = (
        [("system", literal(parts["system_message"]), False)]
        if _has(parts, "system_message")
        else []
    )
    prefix = from_format(name, parts.get("prefix", parts.get("prefix_user", "")), _SHARED)
    suffix = from_format(name, parts.get("suffix", parts.get("suffix_user", "")), _SHARED)
    body = parts.get("body", parts.get("body_user"))
    if body is None:
        raise RearankError(f"{name}: expected a body, found none")
    if _has(parts, "prefix_assistant"):
        turns.append(("user", prefix, False))
        turns.append(("assistant", from_format(name, parts["prefix_assistant"], _SHARED), False))
        prefix = ""
    if _has(parts, "body_assistant"):
        own = {"rank": "{{ identifier }}"}
        if prefix:
            raise RearankError(f"{name}: expected prefix_assistant after the prefix, found none")
        turns.append(("user", from_format(name, body, {**own, "candidate": "{{ passage }}"}), True))
        turns.append(("assistant", from_format(name, parts["body_assistant"], own), True))
        turns += [("user", suffix, False)] if suffix else []
    else:
        shown = {"rank": "{{ identifiers[loop.index0] }}", "candidate": "{{ passage }}"}
        loop = from_format(name, body, shown)
        whole = f"{prefix}{{% for passage in passages %}}{loop}{{% endfor %}}{suffix}"
        turns.append(("user", whole, False))
    about: dict[str, Any] = {
        "description": f"Imported from {Path(name).name}, a template of rank_llm.",
        "source": origin(name, text),
        "answer": "letters" if alpha else "order",
        "passage_words": _WORDS,
    }
    if not alpha:
        about["thinks"] = "<think>" in text
    return recipe_toml(about, turns)


def _parts(name: str, text: str) -> dict[str, Any]:
    import yaml

    try:
        parts = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RearankError(f"{name}: {' '.join(str(error).split())}") from error
    if not isinstance(parts, dict) or parts.get("method") not in _METHODS:
        found = parts.get("method") if isinstance(parts, dict) else parts
        raise RearankError(
            f"{name}: expected a template with the method {' or '.join(_METHODS)}, found {found!r}"
        )
    for key, value in parts.items():
        if key not in _KNOWN or not isinstance(value, str):
            raise RearankError(f"{name}: cannot be read in full: {key!r} is not known")
    return parts


def _has(parts: dict[str, Any], key: str) -> bool:
    return bool(parts.get(key))
