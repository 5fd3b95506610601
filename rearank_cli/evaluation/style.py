"""The choices that a user has about measuring and writing; light, so that --help stays fast."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rearank_cli.errors import RearankError


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


class Ties(StrEnum):
    """How equal scores are ordered: left to ir_measures (by doc id), or by the rank column."""

    DOCID = "docid"
    RANK = "rank"


@dataclass(frozen=True, slots=True)
class Style:
    """How to write: the format, the decimals, and what else is wanted.

    `per_query` replaces the figures by the values behind them; `diff` holds the texts of queries
    by id (maybe none) where the queries that changed most are wanted, else None.
    Raises `RearankError` for a combination that has no output.
    """

    format: Format
    digits: int = 4
    per_query: bool = False
    diff: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.per_query and self.format in (Format.TABLE, Format.MARKDOWN, Format.LATEX):
            raise RearankError(
                f"expected `format` tsv, csv or json for `per_query`, found {self.format.value}"
            )
        if self.per_query and self.diff is not None and self.format is not Format.JSON:
            raise RearankError("expected one of `per_query` and `diff`, found both")
