"""Tab-separated lines: which column is which."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.formats.jsonl import ID_KEYS, check_id, clip
from rearank_cli.log import warn

ID_NAMES = (*ID_KEYS, "pid", "query-id", "corpus-id", "docno")
TEXT_NAMES = ("text", "contents", "query", "passage", "body")


class Columns(NamedTuple):
    """Places of the columns of a file, from 0; `header` says that the first line names them.

    With `tabs` the last column goes to the end of the line, tabs and all.
    """

    id: int = 0
    text: int = 1
    title: int | None = None
    width: int = 2
    header: bool = False
    tabs: bool = False


def find_columns(
    name: str, number: int, line: str, text_names: Sequence[str], tabs: bool = False
) -> Columns:
    """Tell the columns from a file's first line: a header that names them, or id and text.

    With `tabs` a text at the end of the line may hold tabs; more than two columns without a
    header are then an id and such a text, which is told once. Raises `RearankError` that shows
    the line where it is neither.
    """
    fields = [field.strip().lower() for field in line.split("\t")]
    ids = [place for place, field in enumerate(fields) if field in ID_NAMES]
    texts = [fields.index(text) for text in text_names if text in fields]
    if len(ids) == 1 and texts:
        title = fields.index("title") if "title" in fields else None
        last = len(fields) - 1
        return Columns(ids[0], texts[0], title, len(fields), True, tabs and texts[0] == last)
    if len(fields) == 2:
        return Columns(tabs=tabs)
    if tabs and len(fields) > 2 and not ids:
        _tell_wide(name, number, len(fields))
        return Columns(tabs=True)
    raise RearankError(
        f"{name}:{number}: expected 2 columns separated by a tab (id, text), "
        f"found {len(fields)}: {clip(line)!r}",
        hint=f"for other columns begin the file with a header such as: "
        f"{ID_KEYS[0]}<tab>title<tab>{text_names[0]}",
    )


@cache
def _tell_wide(name: str, number: int, count: int) -> None:
    """Warn of columns that nobody named, once although documents are read more than once."""
    warn(f"{name}:{number}: {count} columns without a header; all behind the first tab is the text")


def row(name: str, number: int, line: str, columns: Columns) -> tuple[str, str, str]:
    """Return (id, text, title) of a line; raise `RearankError` for another number of columns."""
    fields = line.split("\t", columns.width - 1 if columns.tabs else -1)
    if len(fields) != columns.width:
        raise RearankError(
            f"{name}:{number}: expected {columns.width} columns separated by tabs, "
            f"found {len(fields)}: {clip(line)!r}"
        )
    title = fields[columns.title].strip() if columns.title is not None else ""
    return check_id(name, number, fields[columns.id]), fields[columns.text].strip(), title
