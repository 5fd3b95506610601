"""The collections that have a name."""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from rearank_cli.collection.bright import SETS, WITH_LONG
from rearank_cli.collection.catalogue import catalogue
from rearank_cli.collection.irds import docs_path
from rearank_cli.collection.matching import matching_index

SILENT = ("sara",)
"""Datasets that download their documents when asked where they are."""

PARTS = ("docs", "queries", "qrels")


class Known(NamedTuple):
    """A named collection: its parts, whether its documents are on this machine, its index."""

    name: str
    parts: str
    local: str
    prebuilt: str | None


def known_datasets(pattern: str) -> Iterator[Known]:
    """Yield the collections whose name matches a shell pattern, or contains it."""
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    ir_datasets = catalogue()
    names = {*ir_datasets.registry, *_bright()}
    for name in ("demo", *sorted(names)):
        if fnmatchcase(name, wanted):
            yield _known(ir_datasets, name)


def _bright() -> Iterator[str]:
    for name in SETS:
        yield f"bright/{name}"
        if name in WITH_LONG:
            yield f"bright/{name}-long"


def _known(ir_datasets: Any, name: str) -> Known:
    if name == "demo":
        return Known(name, ",".join(PARTS), "yes", None)
    dataset = ir_datasets.load(name)
    parts = ",".join(part for part in PARTS if getattr(dataset, f"has_{part}")())
    return Known(name, parts, _local(name, dataset), matching_index(name))


def _local(name: str, dataset: Any) -> str:
    """Tell whether the documents are here; where ir_datasets does not say, whether they may be."""
    if not dataset.has_docs():
        return "-"
    path = None if name in SILENT else docs_path(dataset)
    if path is None:
        return "?"
    return "yes" if os.path.exists(path) else "no"
