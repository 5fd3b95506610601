"""What the page shows, as plain records; the template only lays them out.

Texts here are as they were read: the template escapes them. `Markup` is what `svg` has escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from rearank_cli.report.evaluated import Table


class Tile(NamedTuple):
    """One number at the top of the page: what it is, the number, what it was or how it came."""

    name: str
    value: str
    note: str


class Chart(NamedTuple):
    """A chart with a title, a sentence that says how to read it, and a table of its numbers."""

    title: str
    about: str
    picture: Markup
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Span(NamedTuple):
    """A stretch of reasoning; one that names a passage has a shade and maybe a target."""

    text: str
    shade: str = ""
    target: str = ""


class Hit(NamedTuple):
    """One passage in one order; `moved` is how far it rose, None where there was no old rank.

    `score` is the model's, where it judged passages one by one, and `words` are the query's words
    shaded by how likely the passage made them.
    """

    target: str
    rank: int
    old_rank: int | None
    moved: int | None
    doc_id: str
    shade: str
    grade: str
    title: str
    text: str
    score: str = ""
    words: tuple[Span, ...] = ()


class WindowView(NamedTuple):
    """One window: `ranks` as text, its cost, flaws in words, reasoning and answer in spans."""

    number: int
    ranks: str
    tokens: str
    time: str
    flaws: tuple[str, ...]
    cut: str
    reasoning: tuple[Span, ...]
    answer: tuple[Span, ...]


@dataclass(frozen=True)
class QueryView:
    """One query: values by run, the bump chart, both orders, and the windows.

    `scored` queries were judged passage by passage; their scores stand with the passages.
    """

    number: int
    query_id: str
    text: str
    before: float | None
    after: float | None
    difference: float | None
    values: tuple[tuple[str, ...], ...]
    summary: str
    bump: Markup | None
    scored: bool
    old: tuple[Hit, ...]
    new: tuple[Hit, ...]
    rest: tuple[Hit, ...]
    windows: tuple[WindowView, ...]
    flawed: int


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    subtitle: str
    tiles: Sequence[Tile]
    measures: Sequence[str]
    measure: str
    tables: Sequence[Table]
    notes: Sequence[str]
    differences: Sequence[Chart]
    gains: Sequence[Chart]
    gains_title: str
    grades: Sequence[tuple[str, str]]
    names: tuple[str, str]
    runs: Sequence[str]
    queries: Sequence[QueryView]
    left_out: str
    provenance: Sequence[tuple[str, Sequence[tuple[str, str]]]]
