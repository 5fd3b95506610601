"""Text for outputs whose encoding has no lines, arrows or daggers."""

import sys
from typing import TextIO

_SIGNS = "─│†‡Δ–…→"
"""What tables are made of; an encoding that lacks one of them lacks most."""
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("─━═╌", "-"),
        **dict.fromkeys("│┃║▏▕", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╞╡╪", "+"),
        **dict.fromkeys("–—−", "-"),
        "†": "+",
        "‡": "#",
        "Δ": "diff",
        "…": "...",
        "→": "->",
        "←": "<-",
        **dict.fromkeys("↑▲", "^"),
        **dict.fromkeys("↓▼", "v"),
        "·": "-",
        "•": "*",
        "×": "x",
        "≥": ">=",
        "≤": "<=",
    }
)


def carries(handle: TextIO) -> bool:
    """Tell whether whoever reads an output sees more than ASCII.

    What goes through a pipe is UTF-8 for programs; a table is for people, whose locale says what
    they see.
    """
    standard = sys.__stdout__
    ours = handle is sys.stdout and not handle.isatty() and standard is not None
    encoding = (standard.encoding if ours and standard else handle.encoding) or "utf-8"
    try:
        _SIGNS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def plainer(text: str) -> str:
    """Return text with its lines, arrows and daggers in ASCII."""
    return text.translate(_PLAIN)
