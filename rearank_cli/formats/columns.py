"""Tab-separated lines: which column is which."""

from collections.abc import Sequence
from typing import NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.formats.jsonl import ID_KEYS, check_id, clip

ID_NAMES = (*ID_KEYS, "pid", "query-id", "corpus-id", "docno")
TEXT_NAMES = ("text", "contents", "query", "passage", "body")


class Columns(NamedTuple):
    """Places of the columns of a file, from 0; `header` says that the first line names them."""

    id: int = 0
    text: int = 1
    title: int | None = None
    width: int = 2
    header: bool = False


def find_columns(name: str, number: int, line: str, text_names: Sequence[str]) -> Columns:
    """Tell the columns from a file's first line: a header that names them, or id and text.

    Raises `RearankError` that shows the line where it is neither.
    """
    fields = [field.strip().lower() for field in line.split("\t")]
    ids = [place for place, field in enumerate(fields) if field in ID_NAMES]
    texts = [fields.index(text) for text in text_names if text in fields]
    if len(ids) == 1 and texts:
        title = fields.index("title") if "title" in fields else None
        return Columns(ids[0], texts[0], title, len(fields), header=True)
    if len(fields) == 2:
        return Columns()
    raise RearankError(
        f"{name}:{number}: expected 2 columns separated by a tab (id, text), "
        f"found {len(fields)}: {clip(line)!r}",
        hint=f"for other columns begin the file with a header such as: "
        f"{ID_KEYS[0]}<tab>title<tab>{text_names[0]}",
    )


def row(name: str, number: int, line: str, columns: Columns) -> tuple[str, str, str]:
    """Return (id, text, title) of a line; raise `RearankError` for another number of columns."""
    fields = line.split("\t")
    if len(fields) != columns.width:
        raise RearankError(
            f"{name}:{number}: expected {columns.width} columns separated by tabs, "
            f"found {len(fields)}: {clip(line)!r}"
        )
    title = fields[columns.title].strip() if columns.title is not None else ""
    return check_id(name, number, fields[columns.id]), fields[columns.text].strip(), title
