"""The driver: every query is a chain of windows, and chains do not wait for each other."""

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.listwise.permutation import parse
from rearank_cli.listwise.prompt import Profile
from rearank_cli.listwise.schedule import drive
from rearank_cli.listwise.text import Cleaner
from rearank_cli.listwise.trace import WindowTrace
from rearank_cli.listwise.window import check_window, windows
from rearank_cli.records import Engine, Passage, Query, Ranking, Window

# Passages cut below this many characters say nothing; the query then does not fit.
MIN_PASSAGE_CHARS = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How to slide: `depth` hits are reranked, the rest follow in their old order.

    `concurrency` bounds the windows in flight; None means what keeps the engine full.
    Raises `RearankError` for numbers that cannot work.
    """

    depth: int = 100
    window: int = 20
    stride: int = 10
    passes: int = 1
    concurrency: int | None = None
    passage_chars: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers against each other."""
        check_window(self.window, self.stride)
        for name in ("depth", "passes", "concurrency", "passage_chars"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RearankError(f"expected {name} to be at least 1, found {value}")


class Candidates(NamedTuple):
    """What is to be reranked for one query; `passages` holds every doc id within the depth."""

    query: Query
    ranking: Ranking
    passages: Mapping[str, Passage]


class Reranked(NamedTuple):
    """A query's new ranking and the traces of its windows, in the order they ran."""

    query_id: str
    ranking: Ranking
    traces: tuple[WindowTrace, ...]


class _Chain:
    """The state of one query: its ranking so far and the windows that it still has to do."""

    def __init__(self, candidates: Candidates, settings: Settings, cleaner: Cleaner) -> None:
        hits = min(settings.depth, len(candidates.ranking))
        slices = windows(hits, settings.window, settings.stride)
        self.query = candidates.query
        self.query_text = cleaner.clean(candidates.query.text)
        self.ranking = list(candidates.ranking)
        self.steps = deque((pass_, each) for pass_ in range(settings.passes) for each in slices)
        self.traces: list[WindowTrace] = []
        self._passages = candidates.passages
        self._cleaner = cleaner
        self._texts: dict[tuple[str, int], str] = {}

    def text(self, doc_id: str, limit: int) -> str:
        """Return a passage as it is shown; every passage is prepared once for each length."""
        key = (doc_id, limit)
        if key not in self._texts:
            self._texts[key] = self._cleaner.passage(self._passages[doc_id], limit)
        return self._texts[key]

    def result(self) -> Reranked:
        """Return what the query became, and let go of everything that is needed no longer."""
        traces = tuple(self.traces)
        self.traces.clear()
        self._texts.clear()
        return Reranked(self.query.query_id, tuple(self.ranking), traces)


class Reranker:
    """Reranks queries with one engine; `on_window` hears of every window as it is done."""

    def __init__(
        self,
        engine: Engine,
        profile: Profile,
        settings: Settings | None = None,
        on_window: Callable[[WindowTrace], None] = lambda trace: None,
    ) -> None:
        """Put the parts together; the engine must be open before `run`."""
        self._engine = engine
        self._profile = profile
        self._settings = settings or Settings()
        self._on_window = on_window

    async def run(self, work: Sequence[Candidates]) -> AsyncGenerator[Reranked]:
        """Yield every query's result in input order, each as soon as those before it are done.

        When a window fails, no new one starts; those in flight finish (an engine with a cache
        keeps them), then the first failure is raised: `EngineError`, or `RearankError` for a
        query that does not fit the model. Closing the generator cancels the windows in flight.
        """
        cleaner = Cleaner(self._engine.reserved)
        chains = deque(_Chain(candidates, self._settings, cleaner) for candidates in work)
        slots = self._settings.concurrency or self._engine.capacity
        everyone = list(chains)
        flight = drive(
            [len(chain.steps) for chain in chains],
            slots,
            lambda position: self._advance(everyone[position]),
        )
        async with aclosing(flight):
            while chains:
                while chains and not chains[0].steps:
                    yield chains.popleft().result()
                await anext(flight, None)

    async def _advance(self, chain: _Chain) -> None:
        """Run the chain's next window and reorder its ranking."""
        pass_, window = chain.steps[0]
        place = f"query {chain.query.query_id}, ranks {window.start + 1}-{window.stop}"
        try:
            trace = await self._ask(chain, pass_, window)
        except EngineStartError:
            raise
        except EngineError as error:
            raise EngineError(f"{place}: {error.message}", error.hint) from error
        except RearankError as error:
            raise RearankError(f"{place}: {error.message}", error.hint) from error
        chain.ranking[window.start : window.stop] = trace.after
        chain.traces.append(trace)
        chain.steps.popleft()
        self._on_window(trace)

    async def _ask(self, chain: _Chain, pass_: int, window: Window) -> WindowTrace:
        shown = tuple(chain.ranking[window.start : window.stop])
        wanted = limit = self._settings.passage_chars or self._profile.passage_chars
        began = time.perf_counter()
        while True:
            texts = [chain.text(doc_id, limit) for doc_id in shown]
            try:
                completion = await self._engine.generate(
                    self._profile.render(chain.query_text, texts)
                )
                break
            except PromptTooLong as error:
                limit = _shorter(max(map(len, texts)), error)
        read = parse(
            completion.text,
            len(shown),
            cut=completion.finish_reason == "length",
            thinks=self._profile.thinks and not completion.reasoning,
        )
        return WindowTrace(
            query_id=chain.query.query_id,
            query=chain.query.text,
            pass_=pass_ + 1,
            start=window.start,
            stop=window.stop,
            before=shown,
            after=tuple(shown[index] for index in read.order),
            reasoning=completion.reasoning or read.reasoning,
            answer=read.answer,
            flaws=read.flaws,
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds=round(time.perf_counter() - began, 3),
            cached=completion.cached,
            passage_chars=limit,
            shortened=limit < wanted,
        )


def _shorter(longest: int, error: PromptTooLong) -> int:
    """Return a shorter passage length, in characters, after a prompt was too long.

    Raises `RearankError` when the passages cannot get shorter: then the query itself is too long.
    """
    share = error.limit / error.tokens if error.tokens else 0.5
    limit = int(longest * min(share, 0.9))
    if limit < MIN_PASSAGE_CHARS:
        raise RearankError(
            f"the query does not fit the model: {error.message}",
            hint="shorten the query, lower --max-tokens or --window, or raise --max-model-len",
        ) from error
    return limit
