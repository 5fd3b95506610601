"""Showing something long on a terminal, or as plain text."""

import io
import os

from rich.console import Console, RenderableType


def page(content: RenderableType) -> None:
    """Show `content` through the user's pager; less leaves by itself when it fits the screen."""
    less = os.environ.setdefault("LESS", "FRX")
    console = Console(highlight=False)
    # less shows colours only with R; other pagers are left to their own settings.
    with console.pager(styles="r" in less.lower()):
        console.print(content)


def plain(content: RenderableType, width: int = 100) -> str:
    """Return `content` as text without colours; a file has no edge, so the width is ours."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(content)
    return "".join(line.rstrip() + "\n" for line in capture.get().splitlines())
