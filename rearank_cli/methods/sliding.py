"""Sliding windows from the bottom to the top (RankGPT, arXiv 2304.09542): REARANK's way."""

from rearank_cli.methods.base import Plan, Shown
from rearank_cli.methods.windows import windows
from rearank_cli.records import Ranking


def plan(ranking: Ranking, size: int, stride: int) -> Plan:
    """Show one window after the other; each begins with what the one below brought up."""
    current = list(ranking)
    for window in windows(len(ranking), size, stride):
        shown = Shown(window, tuple(current[window.start : window.stop]))
        (order,) = yield [shown]
        current[window.start : window.stop] = order
    return tuple(current)


def calls(hits: int, size: int, stride: int) -> int:
    """Return the number of windows."""
    return len(windows(hits, size, stride))


def path(hits: int, size: int, stride: int) -> int:
    """Return the number of windows: each waits for the one below."""
    return calls(hits, size, stride)
