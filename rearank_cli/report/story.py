"""What happened to each query, told from its windows: old order, every step, new order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name
from rearank_cli.records import Ranking
from rearank_cli.report.reasoning import mentions
from rearank_cli.reranking.trace import WindowTrace, read_provenance, read_trace


@dataclass(frozen=True)
class Story:
    """The windows of one query in the order they ran, and the orders that they imply.

    `orders[0]` is the order before the first window and `orders[i]` that after window i, each
    within the depth that was reranked.
    """

    query_id: str
    text: str
    windows: tuple[WindowTrace, ...]
    orders: tuple[Ranking, ...]

    @property
    def old(self) -> Ranking:
        """The order in which the candidates came."""
        return self.orders[0]

    @property
    def new(self) -> Ranking:
        """The order after the last window."""
        return self.orders[-1]


class Step(NamedTuple):
    """A document in one window: `number` counts windows from 1, ranks count from 1.

    `identifier` is the number under which the model saw it; `sentences` are those naming it.
    """

    number: int
    window: WindowTrace
    identifier: int
    old_rank: int
    new_rank: int
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """A trace file: its provenance and the stories by query id, in input order."""

    name: str
    provenance: Mapping[str, Any]
    stories: Mapping[str, Story]

    def story(self, query_id: str | None) -> Story:
        """Return a query's story; the id may be left out where there is one query only.

        Raises `RearankError` for an id that the trace lacks.
        """
        if query_id is None and len(self.stories) == 1:
            return next(iter(self.stories.values()))
        if query_id is not None and query_id in self.stories:
            return self.stories[query_id]
        count = len(self.stories)
        some = ", ".join(list(self.stories)[:5]) + (", …" if count > 5 else "")
        if query_id is None:
            raise RearankError(f"{self.name}: expected --query ID", hint=f"{count} queries: {some}")
        raise RearankError(
            f"{self.name}: expected a query of this trace, found {query_id!r}",
            hint=f"{count} queries: {some}",
        )


def load_trace(source: str) -> Trace:
    """Read a trace file. Raises `RearankError` where it is none or its windows contradict."""
    if source == "-":
        raise RearankError("expected the file of a trace, found -", hint="it is read twice")
    name = display_name(source)
    grouped: dict[str, list[WindowTrace]] = {}
    for window in read_trace(source):
        grouped.setdefault(window.query_id, []).append(window)
    stories = {query_id: tell(name, windows) for query_id, windows in grouped.items()}
    return Trace(name, read_provenance(source), stories)


def tell(name: str, windows: Sequence[WindowTrace]) -> Story:
    """Rebuild the orders of one query from its windows; `name` is the file, for errors.

    A document's first appearance tells where it came from, since every window shows what the
    windows before it left there.
    """
    first: dict[int, str] = {}
    for window in windows:
        size = window.stop - window.start
        fresh = window.before[len(window.before) - size :]
        if len(fresh) != size or sorted(window.before) != sorted(window.after):
            raise _contradiction(name, window)
        for place, doc_id in enumerate(fresh, window.start):
            first.setdefault(place, doc_id)
    if sorted(first) != list(range(len(first))):
        raise RearankError(
            f"{name}: query {windows[0].query_id}: the windows leave out some ranks",
            hint="the trace is incomplete; run the reranking again (finished work is cached)",
        )
    orders = [tuple(first[place] for place in range(len(first)))]
    for window in windows:
        order = _reordered(orders[-1], window)
        if order is None:
            raise _contradiction(name, window)
        orders.append(order)
    return Story(windows[0].query_id, windows[0].query, tuple(windows), tuple(orders))


def _reordered(order: Ranking, window: WindowTrace) -> Ranking | None:
    """Return the order after a window; None when the window does not fit the order."""
    start, stop = window.window
    if order[start:stop] == window.before:
        return (*order[:start], *window.after, *order[stop:])
    pivot, *fresh = window.before
    if len(fresh) != stop - start or pivot not in order or not set(fresh) <= set(order):
        return None
    # A partition with its pivot: what came out above the pivot goes above it, the rest below.
    rest = [doc_id for doc_id in order if doc_id not in window.before]
    above = order.index(pivot)
    below = min(map(order.index, fresh)) - 1
    place = window.after.index(pivot)
    return (
        *rest[:above],
        *window.after[: place + 1],
        *rest[above:below],
        *window.after[place + 1 :],
        *rest[below:],
    )


def _contradiction(name: str, window: WindowTrace) -> RearankError:
    return RearankError(
        f"{name}: query {window.query_id}, ranks {window.start + 1}-{window.stop}: "
        "the window does not continue the ones before it",
        hint="a trace holds one reranking of each query; were two files joined?",
    )


def journey(story: Story, doc_id: str) -> list[Step]:
    """Return a document's way through the windows that showed it, in the order they ran.

    Raises `RearankError` for a document that no window showed.
    """
    steps = [
        _step(story, number, doc_id)
        for number, window in enumerate(story.windows, 1)
        if doc_id in window.before
    ]
    if not steps:
        raise RearankError(
            f"query {story.query_id}: no window showed document {doc_id!r}",
            hint=f"the best ones are {', '.join(story.new[:3])}",
        )
    return steps


def _step(story: Story, number: int, doc_id: str) -> Step:
    window = story.windows[number - 1]
    return Step(
        number,
        window,
        window.before.index(doc_id) + 1,
        story.orders[number - 1].index(doc_id) + 1,
        story.orders[number].index(doc_id) + 1,
        tuple(mentions(window.reasoning, window.before, doc_id)),
    )


def ranks(order: Iterable[str]) -> dict[str, int]:
    """Return the rank of every document, from 1."""
    return {doc_id: rank for rank, doc_id in enumerate(order, 1)}
