"""One `rearank.toml`: read, and every key and value held against the options that there are."""

import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rearank_cli.cli.usage import expected, fits
from rearank_cli.errors import RearankError

CACHE_DIR = "cache-dir"
"""The key of the one setting that is no option."""


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the words and Typer's command of every verb below a command."""
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from verbs(inner, (*path, name))
        else:
            yield (*path, name), inner


def options(command: Any) -> dict[str, Any]:
    """Return a verb's options by the key that a file has for them: `base-url` for --base-url."""
    return {
        max(each.opts, key=len).lstrip("-"): each
        for each in command.params
        if each.param_type_name == "option" and each.name != "help"
    }


class SettingsFile:
    """Turns the text of one file into tables, or says what is wrong with it.

    `known` has Typer's commands by the words that call them.
    """

    def __init__(self, path: Path, text: str, known: Mapping[tuple[str, ...], Any]) -> None:
        self._path = path
        self._text = text
        self._known = known
        self._shared = {
            key: command
            for command in known.values()
            for key, option in options(command).items()
            if option.envvar
        }

    def tables(self) -> dict[tuple[str, ...], dict[str, Any]]:
        """Return the values by the words of a verb and by key; `()` has those for all verbs."""
        try:
            data = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise RearankError(f"{self._path}: {error}") from None
        found: dict[tuple[str, ...], dict[str, Any]] = {(): {}}
        for key, value in data.items():
            if isinstance(value, dict):
                found.update(self._table((key,), value))
            else:
                found[()] |= {self._key(key): self._shared_value(key, value)}
        return found

    def _table(
        self, words: tuple[str, ...], table: Mapping[str, Any]
    ) -> dict[tuple[str, ...], dict[str, Any]]:
        """Return the values of a verb's table, or of the verbs inside a group's."""
        if any(verb[: len(words)] == words and verb != words for verb in self._known):
            parts = {name: value for name, value in table.items() if isinstance(value, dict)}
            for stray in [name for name in table if name not in parts]:
                inner = [f"[{'.'.join(verb)}]" for verb in self._known if verb[:-1] == words]
                raise self._error(stray, words, f"expected {' or '.join(inner)}, found {stray}")
            return {k: v for n, t in parts.items() for k, v in self._table((*words, n), t).items()}
        if words not in self._known:
            names = [" ".join(verb) for verb in self._known]
            raise self._unknown(".".join(words), (), names, "a verb")
        known = options(self._known[words])
        values = {}
        for key, value in table.items():
            if self._key(key) not in known:
                raise self._unknown(key, words, known)
            values[self._key(key)] = self._checked(self._known[words], key, value, words)
        return {words: values}

    def _key(self, key: str) -> str:
        return key.replace("_", "-")

    def _shared_value(self, key: str, value: Any) -> Any:
        if self._key(key) == CACHE_DIR:
            if not isinstance(value, str):
                raise self._error(key, (), f"expected {key} to be a folder, found {value!r}")
            return str(self._path.parent / Path(value).expanduser())
        command = self._shared.get(self._key(key))
        if command is None:
            raise self._unknown(key, (), [*self._shared, CACHE_DIR])
        return self._checked(command, key, value, ())

    def _checked(self, command: Any, key: str, value: Any, words: tuple[str, ...]) -> Any:
        """Return a value as its option takes it."""
        option = options(command)[self._key(key)]
        if option.multiple and not isinstance(value, list):
            value = [value]
        for each in value if option.multiple else [value]:
            if not fits(command, option, each):
                wanted = expected(command, option) or "a text"
                if option.is_flag:
                    wanted = "true or false"
                shown = str(each).lower() if isinstance(each, bool) else repr(each)
                raise self._error(key, words, f"expected {key} to be {wanted}, found {shown}")
        return value

    def _unknown(
        self, key: str, words: tuple[str, ...], known: Any, what: str = "a setting"
    ) -> RearankError:
        where = f" of {' '.join(words)}" if words else ""
        near = get_close_matches(self._key(key), list(known), 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        return self._error(key, words, f"expected {what}{where}, found {key}", hint)

    def _error(
        self, key: str, words: tuple[str, ...], message: str, hint: str = ""
    ) -> RearankError:
        return RearankError(f"{self._path}:{self._line(key, words)}: {message}", hint)

    def _line(self, key: str, words: tuple[str, ...]) -> int:
        """Return the number of the line where a key of a table, or the table itself, stands."""
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._text.splitlines(), 1):
            bare = line.strip()
            if bare.startswith("["):
                table = tuple(bare.strip("[]").replace('"', "").split("."))
                if ".".join(table) == key:
                    return number
            elif table == words and bare.split("=")[0].strip().strip("\"'") == key:
                return number
        return 1
