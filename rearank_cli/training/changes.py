"""Changes to a run's settings: read from TOML or `section.key=value`, checked, and put in."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name, read_lines

# Where a value was said, its section, its key, and the value.
Change = tuple[str, str, str, Any]


def read_changes(path: str) -> list[Change]:
    """Read a TOML file of settings; raises `RearankError` for a file that is none."""
    name = display_name(path)
    text = "\n".join(line for _, line in read_lines(path))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RearankError(f"{name}: expected TOML: {error}") from error
    found = []
    for section, entries in data.items():
        if not isinstance(entries, Mapping):
            raise RearankError(f"{name}: expected [sections], found {section!r} outside of one")
        found += [(f"{name}: {section}.{key}", section, key, entries[key]) for key in entries]
    return found


def read_change(text: str) -> Change:
    """Read `section.key=value`, the value as in TOML or a bare word; else `RearankError`."""
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and key):
        raise RearankError(f"`set`: expected section.key=value, found {text!r}")
    try:
        return f"`set` {text}", section, key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return f"`set` {text}", section, key, value.strip()


def checked(change: Change, values: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a change's value as the kind that the default in `values` has.

    Raises `RearankError` for an unknown name and for a value of another kind.
    """
    place, section, key, value = change
    if key not in values.get(section, {}):
        raise RearankError(
            f"{place}: no such setting: {section}.{key}", hint="`print_config` shows all of them"
        )
    kind = type(values[section][key])
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise RearankError(f"{place}: expected a value of type {kind.__name__}, found {value!r}")
    return value


def replaced(text: str, section: str, key: str, value: Any) -> str:
    """Put a value into the TOML text, marked as set by the user."""
    at = text.index(f"\n[{section}]\n")
    head, tail = text[:at], text[at:]
    shown = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    line = f"{key} = {shown or _toml(value)}"
    return head + re.sub(
        rf"^{re.escape(key)} = [^#\n]*(?:#.*)?$",
        lambda _: f"{line:<26} # set by you",
        tail,
        count=1,
        flags=re.MULTILINE,
    )


def _toml(value: Any) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)
