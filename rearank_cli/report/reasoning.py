"""What a model wrote, taken apart: sentences, and the passages that they name."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_BRACKETED = re.compile(r"\[\s*[0-9]{1,9}(?:\s*(?:,|and|&)\s*[0-9]{1,9})*\s*\]")
_NUMBERS = r"[0-9]{1,4}(?:(?:\s*,\s*(?:and\s+)?|\s+(?:and|or|to)\s+)[0-9]{1,4})*"
_WORDED = re.compile(rf"\b(?:passage|document|doc|text)s?\s+#?({_NUMBERS})\b", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}")
# A sentence ends at a line's end, or at . ! ? (and closing quotes) before white space and a sign
# that may start one. "e.g. this" stays whole; "Mr. Smith" does not, which harms nobody here.
_SENTENCE_END = re.compile(
    r"\n+|(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)[\"'”’)]*\s+(?=[\"'“‘(\[A-Z0-9])"
)

REPLACEMENT = "\ufffd"
# Controls other than tab and newline, surrogates, noncharacters, and the explicit directional
# embeddings, overrides and isolates.
_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)


class Piece(NamedTuple):
    """A stretch of text; `doc_id` is set where it is an identifier that names a passage."""

    text: str
    doc_id: str | None = None


def visible(text: str) -> str:
    """Return `text` with every character that could act rather than show replaced by U+FFFD.

    These are controls other than tab and newline (a terminal obeys escape sequences), surrogates
    and noncharacters (no file can hold them), and directional overrides (they reorder the page).
    """
    return _ACTS.sub(REPLACEMENT, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int | None = None) -> str:
    """Return `text` visible, on one line, cut at `limit` characters with an ellipsis."""
    line = " ".join(visible(text).split())
    if limit is not None and len(line) > limit:
        return line[: max(limit - 1, 0)].rstrip() + "…"
    return line


def pieces(text: str, shown: Sequence[str]) -> list[Piece]:
    """Cut `text` at the identifiers that name passages of a window; `shown[k - 1]` is `[k]`.

    Identifiers are `[3]`, `[3, 5]` and `passage 3` or `passages 3 and 5`; a number that is not
    shown stays text. Joined, the pieces are `text` again.
    """
    found: list[Piece] = []
    at = 0
    for start, stop in _spots(text):
        for number in _NUMBER.finditer(text, start, stop):
            place = int(number[0])
            if not 1 <= place <= len(shown):
                continue
            # [3] is one sign; in [3, 5] and "passages 3 and 5" the bare numbers are.
            whole = re.fullmatch(r"\[\s*[0-9]+\s*\]", text[start:stop])
            left, right = (start, stop) if whole else number.span()
            if left > at:
                found.append(Piece(text[at:left]))
            found.append(Piece(text[left:right], shown[place - 1]))
            at = right
    if at < len(text):
        found.append(Piece(text[at:]))
    return found


def _spots(text: str) -> list[tuple[int, int]]:
    """Return where identifiers stand, in order, none within another."""
    spots = [match.span() for match in _BRACKETED.finditer(text)]
    spots += [match.span(1) for match in _WORDED.finditer(text)]
    return sorted(spots)


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of `text`, stripped, without empty ones."""
    for part in _SENTENCE_END.split(text):
        if part.strip():
            yield part.strip()


def mentions(text: str, shown: Sequence[str], doc_id: str) -> list[str]:
    """Return the sentences that name a passage of the window."""
    return [
        sentence
        for sentence in sentences(text)
        if any(piece.doc_id == doc_id for piece in pieces(sentence, shown))
    ]


KEPT = "\ue000"
"""Stands for a space at which no line is to be broken, until lines are made.

To the library that breaks lines every kind of space is one to break at."""


def resolved(text: str, shown: Sequence[str]) -> str:
    """Return `text` with the doc id behind every identifier: `[3]` becomes `[3 doc-id]`."""
    return "".join(map(resolved_piece, pieces(text, shown)))


def resolved_piece(piece: Piece) -> str:
    """Return an identifier with its doc id: `[3 doc-id]`, or `3 (doc-id)` for a bare number."""
    if piece.doc_id is None:
        return piece.text
    if piece.text.startswith("["):
        return f"[{piece.text[1:-1].strip()} {piece.doc_id}]"
    return f"{piece.text} ({piece.doc_id})"
