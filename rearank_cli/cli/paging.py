"""Showing something long on a terminal, or as plain text."""

import io
import os
import sys

from rich.console import Console, RenderableType
from rich.pager import SystemPager

from rearank_cli.formats.plainer import carries, plainer
from rearank_cli.report.reasoning import KEPT


class _Pager(SystemPager):
    """The user's pager, which gets lines that are broken already."""

    def show(self, content: str) -> None:
        """Show them, with the spaces that were kept from being broken at."""
        super().show(content.replace(KEPT, " "))


def page(content: RenderableType) -> None:
    """Show `content` through the user's pager; less leaves by itself when it fits the screen."""
    less = os.environ.setdefault("LESS", "FRX")
    console = Console(highlight=False)
    # less shows colours only with R; other pagers are left to their own settings.
    with console.pager(_Pager(), styles="r" in less.lower()):
        console.print(content)


def plain(content: RenderableType, width: int = 100) -> str:
    """Return `content` as text without colours; a file has no edge, so the width is ours."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(content)
    text = capture.get().replace(KEPT, " ")
    text = text if carries(sys.stdout) else plainer(text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())
