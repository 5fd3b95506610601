"""What happened to each query, told from its windows: old order, every step, new order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name
from rearank_cli.log import counted
from rearank_cli.records import Ranking
from rearank_cli.report.reasoning import mentions
from rearank_cli.reranking.trace import AskTrace, read_provenance, read_trace, reordered


@dataclass(frozen=True)
class Story:
    """The asks of one query, in the order they ran, and the orders that its stages led to.

    `windows` are all asks and `stages` the same, stage by stage. `orders[0]` is the order before
    the first stage and `orders[i]` that after stage i, each within the depth that was reranked.
    """

    query_id: str
    text: str
    windows: tuple[AskTrace, ...]
    stages: tuple[tuple[AskTrace, ...], ...]
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
    window: AskTrace
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
            raise RearankError(
                f"{self.name}: expected `query=ID`", hint=f"{counted(count, 'query')}: {some}"
            )
        raise RearankError(
            f"{self.name}: expected a query of this trace, found {query_id!r}",
            hint=f"{counted(count, 'query')}: {some}",
        )


def load_trace(source: str) -> Trace:
    """Read a trace file. Raises `RearankError` where it is none or its windows contradict."""
    if source == "-":
        raise RearankError("expected the file of a trace, found -", hint="it is read twice")
    name = display_name(source)
    grouped: dict[str, list[AskTrace]] = {}
    for window in read_trace(source):
        grouped.setdefault(window.query_id, []).append(window)
    stories = {query_id: tell(name, windows) for query_id, windows in grouped.items()}
    return Trace(name, read_provenance(source), stories)


def tell(name: str, asks: Sequence[AskTrace]) -> Story:
    """Follow the orders of one query through its asks; `name` is the file, for errors."""
    stages = tuple(tuple(stage) for _, stage in groupby(asks, key=lambda ask: ask.stage))
    if not asks[0].hits or [stage[0].stage for stage in stages] != list(range(1, len(stages) + 1)):
        raise RearankError(
            f"{name}: query {asks[0].query_id}: some of its windows are missing",
            hint="the trace is incomplete; run the reranking again (finished work is cached)",
        )
    orders = [asks[0].hits]
    for stage in stages:
        try:
            if any(sorted(ask.before) != sorted(ask.after) for ask in stage):
                raise ValueError("an ask lost a document")
            orders.append(reordered(orders[-1], stage))
        except ValueError as error:
            raise _contradiction(name, stage[0]) from error
    return Story(asks[0].query_id, asks[0].query, tuple(asks), stages, tuple(orders))


def _contradiction(name: str, window: AskTrace) -> RearankError:
    return RearankError(
        f"{name}: query {window.query_id}, ranks {window.ranks}: "
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
    index = window.before.index(doc_id)
    return Step(
        number,
        window,
        index + 1,
        window.ranks_before[index],
        window.ranks_after[index],
        tuple(mentions(window.reasoning, window.before, doc_id)),
    )


def ranks(order: Iterable[str]) -> dict[str, int]:
    """Return the rank of every document, from 1."""
    return {doc_id: rank for rank, doc_id in enumerate(order, 1)}
