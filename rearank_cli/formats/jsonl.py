"""Lines of JSON, as corpora and topics come in them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rearank_cli.errors import RearankError

ID_KEYS = ("_id", "id", "query_id", "qid", "docid", "doc_id")


def json_object(name: str, number: int, line: str) -> dict[str, Any]:
    """Parse one line as a JSON object or raise `RearankError` with `path:line`."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise RearankError(
            f"{name}:{number}: expected a JSON object, found invalid JSON "
            f"({error.msg} at column {error.colno})"
        ) from None
    except RecursionError:
        raise RearankError(f"{name}:{number}: expected a JSON object, found one too deep") from None
    if not isinstance(entry, dict):
        raise RearankError(f"{name}:{number}: expected a JSON object, found {clip(line)!r}")
    return entry


def json_id(name: str, number: int, entry: Mapping[str, Any]) -> str:
    """Return the id of a JSON object, under any of the names in use."""
    for key in ID_KEYS:
        if isinstance(value := entry.get(key), str | int) and not isinstance(value, bool):
            return check_id(name, number, whole(str(value)))
    raise RearankError(
        f"{name}:{number}: expected an id under {' or '.join(ID_KEYS)}, found {_keys(entry)}"
    )


def whole(text: str) -> str:
    """Return a text with `?` for halves of surrogate pairs, which JSON can spell but no file hold.

    Cut-off emoji in web text look so.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def check_id(name: str, number: int, text: str) -> str:
    """Return an id without the spaces around it.

    Raises `RearankError` if nothing is left, or if it would break the lines of a run.
    """
    stripped = text.strip()
    if not stripped:
        raise RearankError(f"{name}:{number}: expected an id, found an empty one")
    if any(sign in stripped for sign in "\n\r\t\0"):
        raise RearankError(f"{name}:{number}: expected an id on one line, found {stripped!r}")
    return stripped


def json_text(name: str, number: int, entry: Mapping[str, Any], keys: Iterable[str]) -> str:
    """Return the first of several text fields of a JSON object."""
    for key in keys:
        if isinstance(entry.get(key), str):
            return whole(str(entry[key]))
    raise RearankError(
        f"{name}:{number}: expected a text under {' or '.join(keys)}, found {_keys(entry)}"
    )


def _keys(entry: Mapping[str, Any]) -> str:
    return "the fields " + ", ".join(entry) if entry else "an empty object"


def clip(text: str, limit: int = 60) -> str:
    """Return the beginning of a text for an error message."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
