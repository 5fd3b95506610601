"""What a run is expected to reach: figures of papers, of recipes, or of a file of one's own.

Such a file is TOML, `source` and `tolerance` holding for all entries unless one has its own:

    source = "our reproduction, March"
    tolerance = 0.01

    [[expected]]
    collection = "beir/nfcorpus/test"
    first_stage = "BM25"
    measure = "nDCG@10"
    value = 0.352
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.evaluation.measures import parse_measures
from rearank_cli.formats.files import read_lines
from rearank_cli.recipes.originals import find_original

TABLES = ("table1", "table2")
MEASURE = "nDCG@10"
"""What the paper's tables measure."""
FIELDS: Mapping[str, tuple[type, ...]] = {
    "collection": (str,),
    "first_stage": (str,),
    "measure": (str,),
    "value": (float, int),
    "tolerance": (float, int),
    "source": (str,),
}
_SHARED = ("source", "tolerance")
_PAPER = re.compile(r"Source: (.*?)\.?$")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One figure, as a fraction of 1; `tolerance` is how much less still passes.

    An empty `collection` is any; a `tolerance` of None is the command's.
    """

    measure: str
    value: float
    collection: str = ""
    tolerance: float | None = None
    first_stage: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """Figures of a paper's table, in percent, by model and collection."""

    name: str
    source: str
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@cache
def paper_table(name: str) -> PaperTable:
    """Read one of the `TABLES` that come with the program."""
    lines = _data(f"{name}.tsv").splitlines()
    head = next(match for line in lines if (match := _PAPER.search(line)))
    header, *rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return PaperTable(
        name,
        head[1],
        {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows},
    )


def _data(name: str) -> str:
    return files("rearank_cli").joinpath("evaluation", "paper", name).read_text("utf-8")


def expectations(name: str) -> tuple[Expectation, ...]:
    """Return what a TOML file expects, or a published model, or a recipe by name.

    A model is one of the paper's tables, or an original by its exact id. A recipe is a TOML file
    too: its `expected` is read. Raises `RearankError` for a name that
    there is not, or a file that expects nothing.
    """
    if name.endswith(".toml"):
        return _of_toml(name, "\n".join(line for _, line in read_lines(name)))
    models = {model.lower(): model for table in TABLES for model in paper_table(table).rows}
    if name.lower() in models:
        return tuple(_of_paper(models[name.lower()]))
    original = find_original(name)
    if original and original[1].expected:
        source = {"source": original[1].description}
        entries = enumerate(original[1].expected, 1)
        return tuple(_entry(f"{name}: expected {n}", each, source) for n, each in entries)
    recipes = files("rearank_cli").joinpath("recipes")
    if re.fullmatch(r"[\w.-]+", name) and (place := recipes.joinpath(f"{name}.toml")).is_file():
        return _of_toml(f"recipe {name}", place.read_text("utf-8"))
    near = get_close_matches(name.lower(), models, 1, 0.4)
    raise RearankError(
        f"`expect`: expected a file, a model of the paper's tables or a recipe, found {name!r}",
        hint=f"{f'did you mean {models[near[0]]!r}? ' if near else ''}"
        f"the tables have {', '.join(models.values())}; a file ends in .toml",
    )


def _of_paper(model: str) -> Iterator[Expectation]:
    for name in TABLES:
        table = paper_table(name)
        for collection, value in table.rows.get(model, {}).items():
            share = round(float(value) / 100, 6)
            yield Expectation(MEASURE, share, collection, None, "BM25", table.source)


def _of_toml(name: str, text: str) -> tuple[Expectation, ...]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RearankError(f"{name}: {error}") from None
    entries = data.get("expected", [])
    entries = [entries] if isinstance(entries, dict) else entries
    if not entries or not isinstance(entries, list):
        raise RearankError(
            f"{name}: expected [[expected]] with a measure and a value, found none",
            hint='[[expected]]\\ncollection = "demo"\\nmeasure = "nDCG@10"\\nvalue = 0.6081',
        )
    shared = {key: data[key] for key in _SHARED if key in data}
    return tuple(_entry(f"{name}: [[expected]] {n}", e, shared) for n, e in enumerate(entries, 1))


def _entry(place: str, entry: Any, shared: Mapping[str, Any]) -> Expectation:
    if not isinstance(entry, dict):
        raise RearankError(f"{place}: expected a table, found {entry!r}")
    for key, value in {**shared, **entry}.items():
        if key not in FIELDS:
            near = get_close_matches(key, FIELDS, 1)
            raise RearankError(
                f"{place}: unknown field {key!r}",
                hint=f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FIELDS)}",
            )
        if isinstance(value, bool) or not isinstance(value, FIELDS[key]):
            raise RearankError(
                f"{place}: expected {key} to be {_TYPES[FIELDS[key][0]]}, found {value!r}"
            )
    for key in ("measure", "value"):
        if key not in entry:
            raise RearankError(f"{place}: expected a {key}, found none")
    return Expectation(**{**shared, **entry})


_TYPES = {str: "a text", float: "a number"}


def select(found: Sequence[Expectation], collection: str) -> list[Expectation]:
    """Return the expectations for a collection; raise `RearankError` when there are none.

    `collection` is a name as -d takes it. A folder stands for the collection that its last part
    names, and the paper's collections have their ids of ir_datasets.
    """
    names = _names(collection)
    chosen = [each for each in found if not each.collection or _names(each.collection) & names]
    if not chosen:
        known = dict.fromkeys(each.collection for each in found)
        raise RearankError(
            f"expected one of the collections {', '.join(known)}, found {collection or 'none'}",
            hint="`collection_name` says which of them this one is",
        )
    # As ir_measures spells it, so that ndcg@10 is nDCG@10.
    return [replace(each, measure=str(parse_measures([each.measure])[0])) for each in chosen]


def _names(collection: str) -> set[str]:
    """Return all names of a collection, in lower case."""
    path = collection.strip().rstrip("/").lower()
    found = {path, path.removeprefix("bright/"), PurePath(path).name} - {""}
    for column, others in _aliases().items():
        if found & {column, *others}:
            found |= {column, *others}
    return found


@cache
def _aliases() -> dict[str, list[str]]:
    return tomllib.loads(_data("collections.toml"))
