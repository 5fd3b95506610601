"""First-stage runs that papers have published: the catalogue, the download, the checks."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any

from rearank_cli.collection.collection import Collection
from rearank_cli.errors import RearankError
from rearank_cli.formats.cache import cache_dir, locked
from rearank_cli.formats.download import Download, fetch
from rearank_cli.formats.files import reason
from rearank_cli.formats.trec import read_run
from rearank_cli.log import warn
from rearank_cli.records import Ranking, Run

OWN = "REARANK_RUNS"
"""The variable that names a file with more runs, of the catalogue's form."""


@dataclass(frozen=True, slots=True)
class Published:
    """One entry of the catalogue; `size` is in bytes, `collection` empty where it has no name."""

    name: str
    collection: str
    description: str
    licence: str
    source: str
    download: Download

    @property
    def place(self) -> Path:
        """Where the file is kept, or is to be put by hand."""
        return cache_dir("runs") / f"{self.name}.trec"


def catalogue() -> dict[str, Published]:
    """Return the runs that are known, by name.

    `REARANK_RUNS` may name a TOML file of the same form with more of them; its entries win. Raises
    `RearankError` when that is no such file.
    """
    text = files("rearank_cli").joinpath("collection", "published.toml").read_text("utf-8")
    found = {entry.name: entry for entry in _entries(tomllib.loads(text))}
    if own := os.environ.get(OWN):
        try:
            found |= {entry.name: entry for entry in _entries(tomllib.loads(Path(own).read_text()))}
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = (
                reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            )
            raise RearankError(
                f"{own}: expected a catalogue of runs, found something else ({what})",
                hint="a [[group]] has name, description, licence, source, url and run, a list of "
                f"tables with name, collection, path, size, md5; unset {OWN} to do without",
            ) from error
    return found


def _entries(data: Mapping[str, Any]) -> Iterator[Published]:
    for group in data["group"]:
        for run in group["run"]:
            yield Published(
                f"{group['name']}.{run['name']}",
                str(run["collection"]),
                str(group["description"]),
                str(group["licence"]),
                str(group["source"]),
                Download([f"{group['url']}{run['path']}"], int(run["size"]), str(run["md5"])),
            )


def matching(pattern: str) -> list[Published]:
    """Return the runs whose name or collection has `pattern` in it, or fits its * and ?."""
    wanted = pattern if set("*?") & set(pattern) else f"*{pattern}*"
    return [
        entry
        for entry in catalogue().values()
        if fnmatch(entry.name, wanted) or fnmatch(entry.collection, wanted)
    ]


def published_run(name: str) -> tuple[Published, Run]:
    """Return a published run, downloaded now if it is not here; its MD5 is right.

    Raises `RearankError` for a name that there is not, or when the file cannot be had; the hint
    says where to put it by hand.
    """
    known = catalogue()
    if name not in known:
        near = get_close_matches(name, known, 3, 0.4)
        raise RearankError(
            f"`run_of`: expected the name of a published run, found {name!r}",
            hint=(f"did you mean {', '.join(near)}? " if near else "")
            + "rearank datasets runs lists them",
        )
    entry = known[name]
    with locked(entry.place):
        fetch(entry.download, entry.place)
    return entry, read_run(entry.place)


def check_ids(name: str, run: Run, collection: Collection) -> None:
    """Hold a run's ids against a collection; warn of some that it lacks.

    Raises `RearankError` where it has none of the queries, or none of the documents.
    """
    queries = collection.queries()
    _told(
        name, "queries", [each for each in run.rankings if each not in queries], len(run.rankings)
    )
    doc_ids = list(dict.fromkeys(doc for ranking in run.rankings.values() for doc in ranking))
    there = collection.passages(doc_ids)
    _told(name, "documents", [each for each in doc_ids if each not in there], len(doc_ids))


def _told(name: str, what: str, absent: Sequence[str], count: int) -> None:
    if not absent:
        return
    text = f"{name}: {len(absent)} of {count} {what} are not in the collection (first: {absent[0]})"
    if len(absent) == count:
        raise RearankError(text, hint="is this the collection of the run?")
    warn(text)


def narrowed(run: Run, without: Mapping[str, frozenset[str]], hits: int) -> tuple[Run, int]:
    """Return the first `hits` of each query, less the documents that it must not find.

    The second value says how many such documents there were. Scores stay as they are.
    """
    rankings: dict[str, Ranking] = {}
    scores: dict[str, tuple[float, ...]] = {}
    dropped = 0
    for query_id, ranking in run.rankings.items():
        unwanted = without.get(query_id, frozenset())
        pairs = list(zip(ranking, run.scores[query_id], strict=True))
        kept = [pair for pair in pairs if pair[0] not in unwanted]
        dropped += len(pairs) - len(kept)
        rankings[query_id] = tuple(doc_id for doc_id, _ in kept[:hits])
        scores[query_id] = tuple(score for _, score in kept[:hits])
    return Run(rankings, scores, run.tag), dropped
