"""The reranker as a server uses it: opened once, asked by many, closed when all are answered."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal

from rearank_cli.engines.cached import CachedEngine
from rearank_cli.errors import EngineStartError
from rearank_cli.recipes.loading import load_recipe, recipe_names
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.records import Passage, Query, Ranking
from rearank_cli.reranking.asking import check_engine
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.cutting import cutter, prepared
from rearank_cli.reranking.driver import Driver, Settings
from rearank_cli.reranking.reranker import Reranker, method_for
from rearank_cli.reranking.scores import relevance
from rearank_cli.reranking.trace import AskTrace
from rearank_cli.serving.gate import SharedEngine
from rearank_cli.serving.limits import Limits
from rearank_cli.serving.metrics import Metrics
from rearank_cli.serving.queue import Queue
from rearank_cli.serving.refusals import Refusal, unread
from rearank_cli.serving.retrieval import HITS, Searcher

State = Literal["starting", "ready", "failing", "stopping"]
QUERY = "request"
"""The id of a request's query, as errors name it."""
_START_WAIT = 5
"""Seconds after which to ask again while the engine starts."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one request wants: a query, passages by position, a recipe's name, a depth."""

    query: str
    passages: Sequence[Passage]
    recipe: str | None = None
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a job.

    `order` are positions of its passages, best first, and `scores` theirs, which fall strictly;
    `by_rank` says that they mean no more than the rank.
    """

    job: Job
    order: tuple[int, ...]
    scores: tuple[float, ...]
    by_rank: bool
    traces: tuple[AskTrace, ...]

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(trace.prompt_tokens for trace in self.traces)

    @property
    def completion_tokens(self) -> int:
        """Tokens of all answers."""
        return sum(trace.completion_tokens for trace in self.traces)


class Service:
    """Reranks for many at once with one engine."""

    def __init__(
        self, reranker: Reranker, limits: Limits | None = None, searcher: Searcher | None = None
    ) -> None:
        """Put the parts together; nothing is opened before `begin`."""
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.queue = Queue(self.limits.queue)
        self.searcher = searcher
        self._reranker = reranker
        self._shared: SharedEngine | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping = False
        metrics = self.metrics
        metrics.gauge("requests_under_way", "Requests under way", lambda: self.queue.under_way)
        metrics.gauge("queue_size", "Requests that may be under way", lambda: self.queue.size)
        metrics.gauge("windows_in_flight", "Windows being answered", lambda: self._windows(False))
        metrics.gauge("windows_waiting", "Windows that wait", lambda: self._windows(True))
        metrics.gauge("ready", "Whether requests are answered", lambda: self.state == "ready")

    def _windows(self, waiting: bool) -> int:
        if self._shared is None:
            return 0
        return self._shared.gate.waiting if waiting else self._shared.gate.inside

    @property
    def model(self) -> str:
        """The name of the model."""
        return self._reranker.model.name or self._reranker.tag

    @property
    def settings(self) -> Settings:
        """How requests are reranked that say nothing else."""
        return self._reranker.settings

    @property
    def state(self) -> State:
        """What the server is doing."""
        if self._stopping:
            return "stopping"
        if self._starting is None or not self._starting.done():
            return "starting"
        broken = self._starting.cancelled() or self._starting.exception() is not None
        dead = self._shared is not None and self._shared.dead
        return "failing" if broken or dead else "ready"

    def begin(self) -> asyncio.Task[None]:
        """Start the engine; the task ends when it is ready, or raises `RearankError`."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(_look)
        return self._starting

    async def _start(self) -> None:
        if self.searcher:
            await self.searcher.open()
        engine = self._reranker.engine
        self._shared = SharedEngine(engine, self.settings.concurrency)
        if isinstance(engine, CachedEngine):
            await engine.start()
        else:
            await engine.open()

    def stop(self) -> None:
        """Say from now on that the server is stopping; what is under way goes on."""
        self._stopping = True

    async def close(self) -> None:
        """Close the engine and the index."""
        self.stop()
        if self._starting:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self.searcher:
            self.searcher.close()
        await self._reranker.engine.close()

    async def rerank(self, job: Job) -> Done:
        """Rerank for one request.

        Raises `Refusal` when the server is full or not ready, or the job too large; `TimeoutError`
        after the deadline; `EngineError`, or `RearankError` for what does not fit the model.
        """
        self.check(job)
        settings = self._settings(job)
        with self._place() as number:
            async with asyncio.timeout(self.limits.deadline):
                return await self._rerank(job, settings, number)

    async def search(self, query: str, hits: int = HITS, job: Job | None = None) -> Done:
        """Rerank what a query finds in the collection; `job` may name a recipe and a depth.

        Raises what `rerank` does, and `Refusal` when nothing is found.
        """
        searcher = self.searcher
        if searcher is None:
            raise unread("collection: this server was started without one")
        if not query.strip():
            raise unread("query: expected a text, found none")
        hits = min(hits, self.limits.documents)
        with self._place() as number:
            async with asyncio.timeout(self.limits.deadline):
                found = await searcher.search(query, hits)
                if not found:
                    raise unread("query: nothing was found in the collection")
                made = replace(job or Job(query, found), query=query, passages=found)
                self.check(made)
                return await self._rerank(made, self._settings(made), number)

    @contextmanager
    def _place(self) -> Iterator[int]:
        """Hold a place in the queue; raise `Refusal` when there is none, or no engine yet."""
        if self.state == "starting":
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, "the engine is starting", wait=_START_WAIT
            )
        with self.queue.place() as number:
            yield number

    async def _rerank(self, job: Job, settings: Settings, number: int) -> Done:
        shared = self._shared
        if shared is None:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the engine did not start")
        passages = {str(place): passage for place, passage in enumerate(job.passages)}
        work = Candidates(Query(QUERY, job.query), tuple(passages), passages)
        driver = Driver(shared.turn(number), settings, self.metrics)
        change = cutter(settings.recipe, settings.limit, self._reranker.model)
        (cut,) = prepared([work], change)
        return _done(job, await _only(driver, cut))

    def check(self, job: Job) -> None:
        """Raise `Refusal` for a job that is empty or above the limits."""
        limits, count = self.limits, len(job.passages)
        if not job.query.strip():
            raise unread("query: expected a text, found none")
        if not count:
            raise unread("documents: expected at least one, found none")
        if count > limits.documents:
            raise unread(f"documents: expected at most {limits.documents}, found {count}")
        characters = len(job.query) + sum(map(_length, job.passages))
        if characters > limits.characters:
            raise unread(
                f"query and documents: expected at most {limits.characters} characters, "
                f"found {characters}"
            )

    def _settings(self, job: Job) -> Settings:
        settings = self.settings
        if job.recipe is not None and job.recipe != settings.recipe.name:
            # Names alone: a path would let anybody who may ask read files here.
            if job.recipe not in recipe_names():
                raise unread(f"recipe: expected one of {', '.join(recipe_names())}")
            settings = self._with_recipe(load_recipe(job.recipe))
        return replace(settings, depth=job.depth) if job.depth else settings

    def _with_recipe(self, recipe: Recipe) -> Settings:
        """Return the settings for a recipe and its own method; raise `Refusal` if it cannot be."""
        method = method_for(recipe, None, None)
        changed = replace(self.settings, recipe=recipe, method=method, sampling=None)
        try:
            check_engine(self._reranker.engine, recipe, method, changed.drawn)
        except EngineStartError as error:
            raise unread(f"recipe: {error.message}", error.hint) from error
        return changed


def _look(task: asyncio.Task[None]) -> None:
    """Look at how a task ended, so that nobody else has to."""
    if not task.cancelled():
        task.exception()


def _length(passage: Passage) -> int:
    return len(passage.text) + len(passage.title)


async def _only(driver: Driver, work: Candidates) -> Reranked:
    async with aclosing(driver.stream([work])) as results:
        async for _, result in results:
            return result
    raise AssertionError("every query has a result")


def _done(job: Job, result: Reranked) -> Done:
    ranking: Ranking = result.ranking
    scores: Mapping[str, float] = result.scores
    return Done(
        job,
        tuple(map(int, ranking)),
        tuple(relevance(ranking, scores)),
        not scores,
        result.traces,
    )
