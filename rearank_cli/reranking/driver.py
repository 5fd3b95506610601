"""The driver: every query is a chain of stages, and chains do not wait for each other."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from rearank_cli.engines.base import Engine, Heard, asked, has_room
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.methods import Answer, Method
from rearank_cli.methods.answers import KINDS
from rearank_cli.methods.base import check_at_least
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.recipes.shortening import shorter
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Completion, Request, Sampling
from rearank_cli.reranking.asking import (
    check_engine,
    check_recipe,
    check_samples,
    check_thinking,
    form_of,
    request_for,
)
from rearank_cli.reranking.chain import Candidates, Chain, Moves, Reranked, Task
from rearank_cli.reranking.hearing import ear_for
from rearank_cli.reranking.schedule import Launcher, Ticket
from rearank_cli.reranking.slots import Slots
from rearank_cli.reranking.thinking import complete
from rearank_cli.reranking.trace import AskTrace, ranks_text


@dataclass(frozen=True, slots=True)
class Settings:
    """How to rerank: the first `depth` hits; the rest follow in their old order.

    `sampling` and `passage_chars`, where passages are cut, in characters, are the recipe's unless
    they are given. `concurrency` bounds the requests in flight; None means what fits the engine.
    `ahead` lets an ask begin as soon as enough is known of the answer before it, where the engine
    has room and tells answers while they are written; the results are the same without.
    Raises `RearankError` for numbers that cannot work.
    """

    recipe: Recipe
    method: Method
    depth: int = 100
    passes: int = 1
    concurrency: int | None = None
    passage_chars: int | None = None
    sampling: Sampling | None = None
    ahead: bool = True

    def __post_init__(self) -> None:
        """Check the numbers, and that the method can use the recipe's answers."""
        for name in ("depth", "passes", "concurrency", "passage_chars"):
            value = getattr(self, name)
            if value is not None:
                check_at_least(1, **{name: value})
        check_recipe(self.recipe, self.method)
        check_samples(self.method, self.drawn)
        check_thinking(self.recipe, self.drawn)

    @property
    def limit(self) -> int:
        """Where passages are cut, in characters."""
        return self.passage_chars or self.recipe.passage_chars

    @property
    def drawn(self) -> Sampling:
        """How answers are drawn."""
        return self.sampling or self.recipe.sampling

    def calls(self, hits: int) -> int:
        """Return about how many asks a query with so many hits takes."""
        return self.passes * self.method.calls(min(self.depth, hits))

    def path(self, hits: int) -> int:
        """Return about how many stages follow one another."""
        return self.passes * self.method.path(min(self.depth, hits))


class Listener:
    """Hears what happens while queries are reranked; by default nothing is done about it."""

    def answered(self, trace: AskTrace, expected: int) -> None:
        """An ask was answered; `expected` is how many there will be in all, as far as known."""

    def settled(self, traces: Sequence[AskTrace]) -> None:
        """A stage of a query is done, and its documents stand where the traces say."""

    def stage(self, position: int, traces: Sequence[AskTrace]) -> None:
        """The same, for listeners that must know which of the work it is: ids may repeat."""
        self.settled(traces)

    def failed(self, position: int, error: RearankError) -> bool:
        """A query cannot be reranked; return whether the others go on all the same."""
        return False

    def taken_back(self, asks: int) -> None:
        """So many asks had been begun early and turned out not to be needed."""

    def abandoned(self, position: int) -> bool:
        """Tell whether nothing more is to be asked for the query at this position."""
        return False


class Driver:
    """Reranks queries with one engine, which must be open before `run` or `stream`."""

    def __init__(
        self, engine: Engine, settings: Settings, listener: Listener | None = None
    ) -> None:
        """Put the parts together.

        Raises `EngineStartError` for an engine that cannot do what the recipe asks for.
        """
        check_engine(engine, settings.recipe, settings.method, settings.drawn)
        self._engine = engine
        self._settings = settings
        self.listener = listener or Listener()
        self.slots = Slots(engine, settings.concurrency)
        # A server does not tell its tokenizer; a known one always has control tokens.
        self._cleaner = Cleaner(engine.reserved, unknown=not engine.reserved)
        self._form = form_of(settings.recipe)

    async def run(self, work: Sequence[Candidates]) -> AsyncGenerator[Reranked]:
        """Yield every query's result in input order, each as soon as those before it are done."""
        done: dict[int, Reranked] = {}
        coming = deque(range(len(work)))
        async with aclosing(self.stream(work)) as results:
            async for position, result in results:
                done[position] = result
                while coming and coming[0] in done:
                    yield done.pop(coming.popleft())

    async def stream(self, work: Sequence[Candidates]) -> AsyncGenerator[tuple[int, Reranked]]:
        """Yield every query's position in the input and its result, as soon as it is done.

        When an ask fails, no new one starts; those in flight finish (an engine with a cache
        keeps them), then the first failure is raised: `EngineError`, or `RearankError` for a
        query that does not fit the model, unless the listener says that the others go on.
        Closing the generator cancels what is in flight.
        """
        flight = _Flight(self, self._settings, work)
        async with aclosing(flight.launcher.drive(flight.begin())) as landed:
            async for task in landed:
                for chain in flight.unasked():
                    yield flight.positions[chain], flight.result(chain)
                if task.chain not in flight.positions:
                    continue
                place = flight.positions[task.chain]
                self.listener.stage(place, flight.settled(task.chain))
                if task.chain.result is not None:
                    yield place, flight.result(task.chain)
        for chain in flight.unasked():
            yield flight.positions[chain], flight.result(chain)

    @property
    def has_room(self) -> bool:
        """Whether the engine may be asked for what may not be needed."""
        return has_room(self._engine)

    def texts(self, candidates: Candidates) -> "Texts":
        """Return the texts of a query as they are shown."""
        return Texts(candidates, self._cleaner)

    def ear(self, task: Task, foresees: Callable[[Answer], None] | None) -> Heard | None:
        """Return who hears the answer to an ask; None where nothing would follow from it."""
        kind = KINDS[self._settings.recipe.kind]
        return ear_for(task.ask, self._form, kind.beginning, foresees)

    def read(self, completion: Completion, task: Task) -> Answer:
        """Return what a completion says about an ask."""
        return KINDS[self._settings.recipe.kind].read(completion, task.ask, self._form)

    async def _complete(self, request: Request, heard: Heard | None) -> Completion:
        closing = self._settings.recipe.end_of_thought
        ask = partial(asked, self._engine)
        return await complete(ask, request, heard, closing, self._cleaner.broken)

    async def ask(self, task: Task, texts: "Texts", heard: Heard | None) -> "Said":
        """Ask until the prompt fits; return what was said.

        Raises `RearankError` for a prompt that cannot fit, and what the engine raises.
        """
        recipe, limit = self._settings.recipe, self._settings.limit
        began = time.perf_counter()
        while True:
            shown = [texts.passage(doc_id, limit) for doc_id in task.ask.doc_ids]
            request = request_for(recipe, texts.query, shown, self._settings.drawn, task.ask)
            self.slots.expect(request)
            try:
                completion = await self._complete(request, heard)
                break
            except PromptTooLong as error:
                limit = shorter(limit, texts.longest(task.ask.doc_ids), error)
        self.slots.note(completion)
        if not completion.seconds:
            completion = replace(completion, seconds=time.perf_counter() - began)
        return Said(self.read(completion, task), completion, limit)

    def done(self, task: Task, said: "Said", expected: int) -> Moves:
        """Note what was said about an ask that is needed; return what follows from it."""
        trace = replace(
            task.chain.traced(task, said.answer),
            kind=self._settings.recipe.kind,
            tokens=tuple((text, round(logprob, 4)) for text, logprob in said.completion.tokens),
            finish_reason=said.completion.finish_reason,
            prompt_tokens=said.completion.prompt_tokens,
            completion_tokens=said.completion.completion_tokens,
            seconds=round(0.0 if said.completion.cached else said.completion.seconds, 3),
            cached=said.completion.cached,
            passage_chars=said.limit,
            shortened=said.limit < self._settings.limit,
        )
        moves = task.chain.done(task, said.answer, trace)
        self.listener.answered(trace, expected)
        return moves


class Said(NamedTuple):
    """What an engine said about an ask, and at how many characters its passages were cut."""

    answer: Answer
    completion: Completion
    limit: int


def _placed(task: Task, error: RearankError) -> RearankError:
    """Return an error about an ask with a word on which one it was."""
    place = f"query {task.chain.query.query_id}, {ranks_text(task.chain.ranks(task.ask))}"
    kind = EngineError if isinstance(error, EngineError) else RearankError
    return kind(f"{place}: {error.message}", error.hint)


class Texts:
    """A query and its passages as they are shown; each is prepared once for each length."""

    def __init__(self, candidates: Candidates, cleaner: Cleaner) -> None:
        """Prepare the query."""
        self.query = cleaner.clean(candidates.query.text)
        self._passages = candidates.passages
        self._cleaner = cleaner
        self._known: dict[tuple[str, int], str] = {}

    def longest(self, doc_ids: Sequence[str]) -> int:
        """Return the length of the longest of these passages before it is cut, in characters."""
        return max(self._cleaner.length(self._passages[doc_id]) for doc_id in doc_ids)

    def passage(self, doc_id: str, limit: int) -> str:
        """Return a passage, cut at `limit` characters."""
        key = (doc_id, limit)
        if key not in self._known:
            self._known[key] = self._cleaner.passage(self._passages[doc_id], limit)
        return self._known[key]


class _Flight:
    """The chains of some queries, and what has become of them so far.

    A chain is made when it is its turn, and dropped when it is done: of the others only their
    hits are held.
    """

    def __init__(self, driver: Driver, settings: Settings, work: Sequence[Candidates]) -> None:
        self._driver = driver
        self._settings = settings
        self._work = work
        self._texts: dict[Chain, Texts] = {}
        self._traces: dict[Chain, list[AskTrace]] = {}
        self._unasked: list[Chain] = []
        self._early: dict[Task, Ticket[Task]] = {}
        self.launcher: Launcher[Task] = Launcher(driver.slots, self.step)
        self.positions: dict[Chain, int] = {}
        self._calls = [settings.calls(len(candidates.ranking)) for candidates in work]
        self._expected = sum(self._calls)

    def begin(self) -> Iterator[Ticket[Task]]:
        """Yield the tickets that open all chains."""
        for position, candidates in enumerate(self._work):
            path = max(self._settings.path(len(candidates.ranking)), 1)
            yield Ticket(
                None,
                path,
                position,
                brings=self._calls[position],
                opens=partial(self._open, position),
            )

    def _open(self, position: int) -> list[Ticket[Task]]:
        """Plan a chain and return the tickets of its first stage; none where nothing is asked."""
        settings = self._settings
        chain = Chain(self._work[position], settings.method, settings.depth, settings.passes)
        self.positions[chain] = position
        tasks = chain.start()
        if chain.result is not None:
            self._unasked.append(chain)
        return self._tickets(chain, tasks)

    def unasked(self) -> Iterator[Chain]:
        """Take and yield the chains that had nothing to ask."""
        while self._unasked:
            yield self._unasked.pop(0)

    def _tickets(self, chain: Chain, tasks: Sequence[Task]) -> list[Ticket[Task]]:
        """Return the tickets of tasks of one stage."""
        position = self.positions[chain]
        path = self._settings.path(len(self._work[position].ranking))
        return [
            Ticket(task, max(path - task.stage + 1, 1), position, task.stage > 1) for task in tasks
        ]

    async def step(self, task: Task) -> list[Ticket[Task]]:
        """Do one task; return the tickets of those that have become ready by it.

        Whatever goes wrong, no task of the chain is left that waits to hear whether it is needed.
        """
        try:
            return await self._step(task)
        except Exception:
            task.chain.give_up()
            self._take_back([early for early in self._early if early.chain is task.chain])
            raise

    async def _step(self, task: Task) -> list[Ticket[Task]]:
        chain, listener = task.chain, self._driver.listener
        position = self.positions[chain]
        if listener.abandoned(position):
            self._take_back(chain.give_up())
            return []
        try:
            said = await self._said(task)
        except EngineError:
            raise
        except RearankError as error:
            if not listener.failed(position, error):
                raise
            self._take_back(chain.give_up())
            return []
        moves = self._driver.done(task, said, self._expected)
        self._correct(chain, len(moves.ready) + len(moves.kept))
        for each in moves.kept:
            self._keep(each)
        self._take_back(moves.dropped)
        return self._tickets(chain, moves.ready)

    async def _said(self, task: Task) -> Said:
        """Ask, and wait until the answer is needed; errors name the query and the ranks."""
        chain = task.chain
        if chain not in self._texts:
            self._texts[chain] = self._driver.texts(self._work[self.positions[chain]])
        foresees = partial(self._foresee, task)
        early = self._settings.ahead and self._room
        ear = self._driver.ear(task, foresees if early else None)
        failure: RearankError | None = None
        try:
            said = await self._driver.ask(task, self._texts[chain], ear)
            if task.fate is not None and not task.fate.done():
                self._foresee(task, said.answer)
        except RearankError as error:
            failure = error
        if task.fate is not None:
            with self.launcher.resting():
                await task.fate
        if isinstance(failure, EngineStartError):
            raise failure
        if failure:
            raise _placed(task, failure) from failure
        return said

    @property
    def _room(self) -> bool:
        return self.launcher.room and self._driver.has_room

    def _foresee(self, task: Task, answer: Answer) -> None:
        """Begin early what is likely to follow, unless others need the engine by now."""
        if not self._driver.has_room:
            return
        tasks = task.chain.foresee(task, answer)
        if not tasks:
            return
        for each in tasks:
            each.fate = asyncio.get_running_loop().create_future()
        tickets = self._tickets(task.chain, tasks)
        self._early.update(zip(tasks, tickets, strict=True))
        self.launcher.ahead(tickets)

    def _keep(self, task: Task) -> None:
        """Let a task that was begun early end as any other."""
        self.launcher.confirm(self._early.pop(task))
        assert task.fate is not None, "it was begun early"
        task.fate.set_result(None)

    def _take_back(self, tasks: Sequence[Task]) -> None:
        """Cancel what was begun early and is not needed."""
        begun = [self.launcher.withdraw(self._early.pop(task)) for task in tasks]
        if any(begun):
            self._driver.listener.taken_back(sum(begun))

    def _correct(self, chain: Chain, ready: int) -> None:
        """Replace the guess of a chain's asks by what is known now."""
        position = self.positions[chain]
        least = chain.asked + ready
        known = least if chain.result is not None else max(self._calls[position], least)
        self._expected += known - self._calls[position]
        self._calls[position] = known

    def settled(self, chain: Chain) -> tuple[AskTrace, ...]:
        """Return the traces of the stages of a chain that have been done since the last call."""
        traces = chain.settled()
        self._traces.setdefault(chain, []).extend(traces)
        return traces

    def result(self, chain: Chain) -> Reranked:
        """Return what a query became, and let go of everything that is needed no longer."""
        del self.positions[chain]
        self._texts.pop(chain, None)
        traces = tuple(self._traces.pop(chain, ()))
        assert chain.result is not None, "all stages are done"
        return Reranked(chain.query.query_id, chain.ranking(), traces, chain.result.scores)
