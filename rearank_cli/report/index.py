"""The index over the pages of several collections: their figures together, and links to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from rearank_cli import __version__
from rearank_cli.report.evaluated import Evaluated, Table, several_tables
from rearank_cli.report.page import Page, Tile


class Part(NamedTuple):
    """One collection: its name, its page's file beside the index, the page and its figures.

    `rows` say which row of the common table each run belongs to.
    """

    name: str
    file: str
    page: Page
    evaluated: Evaluated | None
    rows: Mapping[str, str]


class Entry(NamedTuple):
    """One collection as the index shows it."""

    name: str
    href: str
    title: str
    subtitle: str
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Index:
    """The whole index."""

    title: str
    tables: Sequence[Table]
    notes: Sequence[str]
    entries: Sequence[Entry]
    provenance: Sequence[tuple[str, str]]


def build_index(parts: Sequence[Part], facts: Sequence[tuple[str, str]]) -> Index:
    """Return the index of pages that lie beside it; `facts` say how it was made."""
    tables, notes = several_tables(
        {each.name: each.evaluated for each in parts if each.evaluated},
        {each.name: each.rows for each in parts},
    )
    entries = [
        Entry(each.name, quote(each.file), each.page.title, each.page.subtitle, each.page.tiles)
        for each in parts
    ]
    title = f"Runs of {len(parts)} collections"
    return Index(title, tables, notes, entries, [("rearank", __version__), *facts])
