"""The driver: every query is a chain of windows, and chains do not wait for each other."""

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.methods.answers.order import parse
from rearank_cli.recipes.recipe import Profile
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Engine
from rearank_cli.reranking.chain import Candidates, Chain, Reranked, Settings, Task
from rearank_cli.reranking.schedule import drive
from rearank_cli.reranking.trace import WindowTrace

__all__ = ["Candidates", "Reranked", "Reranker", "Settings"]

# Passages cut below this many characters say nothing; the query then does not fit.
MIN_PASSAGE_CHARS = 16


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
        everyone = [Chain(candidates, self._settings, cleaner) for candidates in work]
        flight = drive(
            [self._settings.path(len(candidates.ranking)) for candidates in work],
            self._settings.concurrency or self._engine.capacity,
            lambda position: self._advance(everyone[position]),
        )
        chains = deque(everyone)
        async with aclosing(flight):
            while chains:
                while chains and chains[0].ranking is not None:
                    yield chains.popleft().result()
                await anext(flight, None)

    async def _advance(self, chain: Chain) -> int:
        """Run the chain's next window; return how many windows have become ready by it."""
        task = chain.ready.popleft()
        window = task.shown.window
        place = f"query {chain.query.query_id}, ranks {window.start + 1}-{window.stop}"
        try:
            trace = await self._ask(chain, task)
        except EngineStartError:
            raise
        except EngineError as error:
            raise EngineError(f"{place}: {error.message}", error.hint) from error
        except RearankError as error:
            raise RearankError(f"{place}: {error.message}", error.hint) from error
        ready = chain.done(task, trace)
        self._on_window(trace)
        return ready

    async def _ask(self, chain: Chain, task: Task) -> WindowTrace:
        window, shown = task.shown
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
            pass_=task.pass_,
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
