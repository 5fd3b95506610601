"""Several orders of the same passages made one: the order nearest to all of them.

Near is Kendall's tau: the order that contradicts the given ones in the fewest pairs is Kemeny's.
Groups of passages of which a majority puts each before all others come first in any such order
(M. Truchon's extended Condorcet criterion, 1998), so the passages are cut into such groups first.
Within a group of at most `EXACT` passages the nearest order is found exactly, by dynamic
programming over its subsets; in a larger one passages are sorted by their mean rank (Borda).
"""

from collections.abc import Sequence

from rearank_cli.records import Ranking

EXACT = 12


def nearest(orders: Sequence[Ranking], shown: Ranking) -> Ranking:
    """Return the order nearest to `orders`; ties keep the order of `shown`.

    All orders hold the passages of `shown`, each once.
    """
    places = [{doc_id: place for place, doc_id in enumerate(order)} for order in orders]
    count = len(shown)
    # before[a][b]: how many orders have a before b.
    before = [
        [sum(place[shown[a]] < place[shown[b]] for place in places) for b in range(count)]
        for a in range(count)
    ]
    settled: list[int] = []
    for group in _groups(before):
        if len(group) <= EXACT:
            settled += _kemeny(group, before)
        else:
            settled += sorted(group, key=lambda a: (-sum(before[a][b] for b in group), a))
    return tuple(shown[index] for index in settled)


def _groups(before: list[list[int]]) -> list[list[int]]:
    """Cut passages into groups; a strict majority has each before all those of later groups."""
    count = len(before)
    beaten = [sum(before[a][b] >= before[b][a] for b in range(count)) for a in range(count)]
    order = sorted(range(count), key=lambda a: (-beaten[a], a))
    groups: list[list[int]] = []
    start = 0
    for stop in range(1, count + 1):
        rest = order[stop:]
        if all(before[a][b] > before[b][a] for a in order[start:stop] for b in rest):
            groups.append(sorted(order[start:stop]))
            start = stop
    return groups


def _kemeny(group: list[int], before: list[list[int]]) -> list[int]:
    """Return the order of a group that contradicts the fewest pairs of the given orders.

    `best[rest]` is the least that any order of the set `rest` (a bit mask) contradicts. To begin
    it with a costs the orders that have another passage of it before a.
    """
    size = len(group)
    best = [0] * (1 << size)
    begin = [0] * (1 << size)
    for rest in range(1, 1 << size):
        members = [i for i in range(size) if rest >> i & 1]
        costs = [
            (best[rest & ~(1 << i)] + sum(before[group[j]][group[i]] for j in members if j != i), i)
            for i in members
        ]
        best[rest], begin[rest] = min(costs)
    order, rest = [], (1 << size) - 1
    while rest:
        order.append(group[begin[rest]])
        rest &= ~(1 << begin[rest])
    return order
