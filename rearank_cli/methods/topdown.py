"""Top-down partitioning: a pivot from the top window, all others compared with it at once.

A. Parry, S. MacAvaney, D. Ganguly: "Top-Down Partitioning for Efficient List-Wise Ranking"
(arXiv 2405.14589, 2024). The top window is ranked; its passage at rank `stride` (the paper's
k = w/2) is the pivot. The rest is cut into partitions of `size - 1` passages, each shown together
with the pivot, all at once. Passages above the pivot in their partition join those above it in the
top window, and the same is done with these; the others keep their order below the pivot. We always
ask all partitions (the paper may stop early, at a budget of candidates).
"""

from math import ceil

from rearank_cli.methods.base import Plan, Shown
from rearank_cli.records import Ranking, Window


def plan(ranking: Ranking, size: int, stride: int) -> Plan:
    """Rank the top window, then all partitions against its pivot, then what rose above it."""
    shown = Shown(Window(0, min(size, len(ranking))), ranking[:size])
    (top,) = yield [shown]
    if len(ranking) <= size:
        return top
    cut = min(stride, size - 1) - 1
    pivot, above, below = top[cut], list(top[:cut]), list(top[cut + 1 :])
    partitions = [
        Shown(Window(start, min(start + size - 1, len(ranking))), (pivot, *part))
        for start in range(size, len(ranking), size - 1)
        if (part := ranking[start : start + size - 1])
    ]
    orders = yield partitions
    for order in orders:
        place = order.index(pivot)
        above += order[:place]
        below += order[place + 1 :]
    if len(above) > cut:
        above = list((yield from plan(tuple(above), size, stride)))
    return (*above, pivot, *below)


def calls(hits: int, size: int, stride: int) -> int:
    """Return the windows when at most `size` passages rise above the pivot, and some do."""
    return 1 if hits <= size else 2 + ceil((hits - size) / (size - 1))


def path(hits: int, size: int, stride: int) -> int:
    """Return 3: top window, partitions, final window."""
    return 1 if hits <= size else 3
