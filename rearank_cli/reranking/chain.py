"""One query's way through its windows: what waits, what is being asked, what came of it."""

from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.methods import STRATEGIES, Shown
from rearank_cli.methods.windows import check_window
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage, Query, Ranking
from rearank_cli.reranking.trace import WindowTrace


@dataclass(frozen=True, slots=True)
class Settings:
    """How to rerank: `depth` hits, shown as the strategy says; the rest follow in their old order.

    `concurrency` bounds the windows in flight; None means what keeps the engine full.
    `passage_chars` is where passages are cut, in characters; None means the profile's limit.
    Raises `RearankError` for numbers that cannot work.
    """

    depth: int = 100
    window: int = 20
    stride: int = 10
    passes: int = 1
    concurrency: int | None = None
    passage_chars: int | None = None
    strategy: str = "sliding"

    def __post_init__(self) -> None:
        """Check the numbers against each other."""
        check_window(self.window, self.stride)
        for name in ("depth", "passes", "concurrency", "passage_chars"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RearankError(f"expected {name} to be at least 1, found {value}")
        if self.strategy not in STRATEGIES:
            raise RearankError(
                f"--strategy: expected {' or '.join(STRATEGIES)}, found {self.strategy!r}"
            )

    def calls(self, hits: int) -> int:
        """Return how many windows a query with so many hits takes, at least."""
        return self.passes * self._each(hits)[0]

    def path(self, hits: int) -> int:
        """Return how many of them follow one another, at least."""
        return self.passes * self._each(hits)[1]

    def _each(self, hits: int) -> tuple[int, int]:
        strategy = STRATEGIES[self.strategy]
        size = (min(self.depth, hits), self.window, self.stride)
        return strategy.calls(*size), strategy.path(*size)


class Candidates(NamedTuple):
    """What is to be reranked for one query; `passages` holds every doc id within the depth."""

    query: Query
    ranking: Ranking
    passages: Mapping[str, Passage]


class Reranked(NamedTuple):
    """A query's new ranking and the traces of its windows, stage by stage."""

    query_id: str
    ranking: Ranking
    traces: tuple[WindowTrace, ...]


class Task(NamedTuple):
    """A window to be asked: which pass and stage of the chain, and its place in the stage."""

    pass_: int
    stage: int
    place: int
    shown: Shown


class Chain:
    """The windows of one query, stage after stage; a stage begins when the one before is done."""

    def __init__(self, candidates: Candidates, settings: Settings, cleaner: Cleaner) -> None:
        """Get the first stage ready."""
        self.query = candidates.query
        self.query_text = cleaner.clean(candidates.query.text)
        self.ready: deque[Task] = deque()
        self.ranking: Ranking | None = None
        self._settings = settings
        self._passages = candidates.passages
        self._cleaner = cleaner
        self._texts: dict[tuple[str, int], str] = {}
        self._traces: dict[tuple[int, int], WindowTrace] = {}
        self._orders: dict[int, Ranking] = {}
        self._stage = self._pass = 0
        self._open = 0
        self._plan = self._passes(candidates.ranking)
        self._begin(None)

    def _passes(self, ranking: Ranking) -> Generator[list[Shown], list[Ranking], Ranking]:
        head, tail = ranking[: self._settings.depth], ranking[self._settings.depth :]
        plan = STRATEGIES[self._settings.strategy].plan
        for pass_ in range(1, self._settings.passes + 1):
            self._pass = pass_
            if head:
                head = yield from plan(head, self._settings.window, self._settings.stride)
        return (*head, *tail)

    def _begin(self, orders: list[Ranking] | None) -> None:
        """Ask the plan for the next stage, or learn the final ranking."""
        try:
            shown = self._plan.send(orders) if orders is not None else next(self._plan)
        except StopIteration as end:
            self.ranking = end.value
            return
        self._stage += 1
        self._open = len(shown)
        self._orders.clear()
        self.ready.extend(
            Task(self._pass, self._stage, place, each) for place, each in enumerate(shown)
        )

    def done(self, task: Task, trace: WindowTrace) -> int:
        """Note a window's new order; return how many windows have become ready by it."""
        self._traces[task.stage, task.place] = trace
        self._orders[task.place] = trace.after
        self._open -= 1
        if self._open:
            return 0
        self._begin([order for _, order in sorted(self._orders.items())])
        return len(self.ready)

    def text(self, doc_id: str, limit: int) -> str:
        """Return a passage as it is shown; every passage is prepared once for each length."""
        key = (doc_id, limit)
        if key not in self._texts:
            self._texts[key] = self._cleaner.passage(self._passages[doc_id], limit)
        return self._texts[key]

    def result(self) -> Reranked:
        """Return what the query became, and let go of everything that is needed no longer."""
        assert self.ranking is not None, "all windows are done"
        traces = tuple(trace for _, trace in sorted(self._traces.items()))
        self._traces.clear()
        self._texts.clear()
        return Reranked(self.query.query_id, self.ranking, traces)
