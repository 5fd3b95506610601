"""Options from files: `rearank.toml` in the working folder, then in the user's config folder.

A key at the top of a file is for every verb that has the option; it must be one that also has an
environment variable (dataset, model, base-url), or `cache-dir`. A table is for one verb:

    model = "Qwen/Qwen3-8B"
    cache-dir = "/scratch/rearank"

    [rerank]
    depth = 50

The command line beats the environment, that beats the working folder's file, and that the user's.
"""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearank_cli.cli.settingsfile import CACHE_DIR, SettingsFile, options, verbs
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason

NAME = "rearank.toml"
CACHE_VARIABLE = "REARANK_CACHE_DIR"


@dataclass(frozen=True, slots=True)
class Layer:
    """One file: `tables` has its values by the words of a verb, `()` for those at its top."""

    path: Path
    tables: Mapping[tuple[str, ...], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of an option, and where it comes from: a file, or the name of a variable."""

    value: Any
    origin: str


def places(environ: Mapping[str, str] = os.environ) -> tuple[Path, Path]:
    """Return where the files may be, the stronger one first."""
    home = environ.get("XDG_CONFIG_HOME")
    folder = Path(home) if home else Path("~/.config").expanduser()
    return Path(NAME), folder / "rearank" / NAME


def read_layers(program: Any, environ: Mapping[str, str] = os.environ) -> list[Layer]:
    """Read the files that are there, the stronger one first.

    `program` is the whole command line as Typer's command. Raises `RearankError` with `path:line`
    for what is no TOML, an unknown verb or option, or a value that the option does not take.
    """
    known = dict(verbs(program))
    found = []
    for path in dict.fromkeys(place.absolute() for place in places(environ)):
        try:
            text = path.read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise RearankError(f"{path}: cannot be read: {reason(error)}") from error
        found.append(Layer(path, SettingsFile(path, text, known).tables()))
    return found


def settings(
    words: tuple[str, ...], command: Any, layers: list[Layer], environ: Mapping[str, str]
) -> dict[str, Setting]:
    """Return what is set for a verb outside the command line, by key."""
    found = {}
    for key, option in options(command).items():
        name = option.envvar[0] if isinstance(option.envvar, list) else option.envvar
        if name and environ.get(name):
            found[key] = Setting(environ[name], name)
            continue
        for layer in layers:
            own, top = layer.tables.get(words, {}), layer.tables[()] if name else {}
            if key in own or key in top:
                found[key] = Setting(own.get(key, top.get(key)), str(layer.path))
                break
    return found


def cache_setting(layers: list[Layer], environ: Mapping[str, str]) -> Setting | None:
    """Return where finished work is kept, if the environment or a file says so."""
    if environ.get(CACHE_VARIABLE):
        return Setting(environ[CACHE_VARIABLE], CACHE_VARIABLE)
    for layer in layers:
        if CACHE_DIR in layer.tables[()]:
            return Setting(layer.tables[()][CACHE_DIR], str(layer.path))
    return None


def default_map(program: Any, environ: MutableMapping[str, str] = os.environ) -> dict[str, Any]:
    """Return what the files say in the form of Click's `default_map`, by verb and parameter.

    The cache folder is no option and goes into the environment. Raises as `read_layers` does.
    """
    layers = read_layers(program, environ)
    place = cache_setting(layers, environ)
    if place is not None:
        environ[CACHE_VARIABLE] = place.value
    defaults: dict[str, Any] = {}
    for words, command in verbs(program) if layers else ():
        table = defaults
        for word in words:
            table = table.setdefault(word, {})
        known = options(command)
        for key, setting in settings(words, command, layers, {}).items():
            table[known[key].name] = _shaped(known[key], setting.value)
    return defaults


def _shaped(option: Any, value: Any) -> Any:
    """Return a value of several verbs as this one takes it: once, or as often as one likes."""
    if option.multiple:
        return value if isinstance(value, list) else [value]
    return value[0] if isinstance(value, list) and len(value) == 1 else value
