"""Prompts in the words that published models were trained on: fetched on first use, then kept.

The catalogue says where each public file is and what its SHA-256 must be; nothing of their text
comes with the program. A file is read by the importers and never run.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import cache_dir, locked
from rearank_cli.formats.download import Download, fetch
from rearank_cli.formats.files import reason
from rearank_cli.log import note
from rearank_cli.recipes.importers import import_recipe
from rearank_cli.recipes.importers.writing import with_fields

OWN = "REARANK_ORIGINALS"
"""The variable with a mirror's address, or with a file of the catalogue's form."""
FOLDER = "originals"
"""The folder of the cache that keeps the files."""
# These files have some kilobytes. Whoever has no network is not to wait long for that to show.
_TRIES = 2
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Original:
    """One entry of the catalogue: `models` by exact id, and the file with their prompt.

    `recipe` holds fields that the file does not say, `instead` is the recipe whose wording takes
    its place, and `expected` are published figures. `address` is where repositories are served.
    """

    models: Sequence[str]
    description: str
    repository: str
    commit: str
    path: str
    sha256: str
    size: int
    licence: str
    instead: str
    address: str
    function: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    expected: Sequence[Mapping[str, Any]] = ()

    @property
    def place(self) -> Path:
        """Where the file is kept, or is to be put by hand."""
        owner = self.repository.replace("/", "+")
        return cache_dir(FOLDER) / f"{owner}+{self.commit[:12]}+{PurePath(self.path).name}"

    @property
    def origin(self) -> str:
        """What the words are known by: file, repository and commit."""
        return f"{PurePath(self.path).name} of {self.repository} at {self.commit[:12]}"

    @property
    def download(self) -> Download:
        """The file on the network."""
        url = f"{self.address.rstrip('/')}/{self.repository}/{self.commit}/{self.path}"
        return Download([url], self.size, sha256=self.sha256, tries=_TRIES, timeout=_TIMEOUT)

    def text(self, model: str) -> str:
        """Return the recipe for one of the models in the file's words, fetched now if need be.

        Raises `RearankError` when the file cannot be had, or is another one.
        """
        self._bring(model)
        imported = import_recipe(str(self.place), self.function or None)
        return with_fields(imported, self._fields())

    def own_words(self, text: str) -> str:
        """Return a recipe of our own wording with everything else as this model wants it."""
        return with_fields(text, self._fields(source=tomllib.loads(text).get("source", "")))

    def _fields(self, source: str = "") -> dict[str, Any]:
        """Return what is said over the words of a recipe."""
        told = source or f"{self.origin} ({self.licence}), SHA-256 {self.sha256}"
        expected = {"expected": self.expected[0]} if self.expected and not source else {}
        known = {"description": self.description, "source": told, "made_for": list(self.models)}
        return {**known, **self.recipe, **expected}

    def _bring(self, model: str) -> None:
        try:
            self._fetch(model)
        except OSError as error:
            raise RearankError(
                f"{self.place}: cannot be written: {reason(error)}",
                hint="set REARANK_CACHE_DIR to a folder that you may write to",
            ) from error

    def _fetch(self, model: str) -> None:
        with locked(self.place):
            there = self.place.is_file()
            if not there:
                note(f"fetching the published prompt of {model} once: {self.download.urls[0]}")
            try:
                fetch(self.download, self.place)
            except RearankError:
                if not there:
                    raise
                fetch(self.download, self.place)  # the one that was here was spoilt, and is gone


def catalogue() -> list[Original]:
    """Return the originals that are known.

    `REARANK_ORIGINALS` may be the address of a mirror, or name a TOML file of the same form with
    more of them, and with an `address`; its entries win. Raises `RearankError` when that is
    neither.
    """
    known = tomllib.loads(
        files("rearank_cli").joinpath("recipes", "originals.toml").read_text("utf-8")
    )
    own = os.environ.get(OWN, "")
    if not own:
        return list(_entries(known, ""))
    if "://" in own:
        return list(_entries(known, own))
    try:
        mine = tomllib.loads(Path(own).read_text("utf-8"))
        address = str(mine.get("address", ""))
        return [*_entries({"address": known["address"], **mine}, ""), *_entries(known, address)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise RearankError(
            f"{own}: expected the address of a mirror or a catalogue of originals, found "
            f"something else ({why})",
            hint="an [[original]] has models, description, repository, commit, path, sha256, "
            f"size, licence, instead and [original.recipe]; unset {OWN} to do without",
        ) from error


def _entries(data: Mapping[str, Any], mirror: str) -> Iterator[Original]:
    for entry in data.get("original", []):
        yield Original(address=mirror or data["address"], **entry)


def find_original(model: str) -> tuple[str, Original] | None:
    """Return a model's id as it is published and its original, if there is one; case is no matter.

    Raises `RearankError` as `catalogue` does.
    """
    for original in catalogue():
        for each in original.models:
            if each.lower() == model.lower():
                return each, original
    return None
