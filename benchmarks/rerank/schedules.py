"""The schedules that are compared; all ask for the same windows with the same answer lengths."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from rearank_cli.engines.base import Engine
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Passage, Prompt, Query, Request, Sampling
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.driver import Driver, Listener, Settings
from rearank_cli.reranking.trace import AskTrace

HITS = 100
WINDOWS = 9
SAMPLING = Sampling(2048)


@dataclass(frozen=True)
class Outcome:
    """Seconds until all windows were answered, and until the first query was finished."""

    makespan: float
    first: float


def work(queries: int, hits: int = HITS) -> list[Candidates]:
    """Return made-up candidates; a query's text ends in its number."""
    text = "A passage of some fifty words, as they are in test collections of the web. " * 5
    passages = {f"d{n}": Passage(f"d{n}", f"{text}{n}") for n in range(hits)}
    return [
        Candidates(Query(f"q{n}", f"number {n}"), tuple(passages), passages) for n in range(queries)
    ]


async def driver(
    engine: Engine, items: Sequence[Candidates], settings: Settings | None = None
) -> Outcome:
    """Run our own driver: no barrier, slots filled by its schedule."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    left = {item.query.query_id: WINDOWS for item in items}
    firsts: list[float] = []

    class Noted(Listener):
        def answered(self, trace: AskTrace, expected: int) -> None:
            left[trace.query_id] -= 1
            if not left[trace.query_id]:
                firsts.append(loop.time() - begun)

    how = settings or Settings(load_recipe("rearank"), Sliding())
    async for _ in Driver(engine, how, Noted()).stream(items):
        pass
    return Outcome(loop.time() - begun, firsts[0])


async def lockstep(engine: Engine, items: Sequence[Candidates], batch: int) -> Outcome:
    """Run `batch` queries at a time; everyone waits for the slowest window of each round."""
    prompts = _prompts(items)
    return await _timed(
        [
            [prompts[number] for number in range(start, min(start + batch, len(items)))]
            for start in range(0, len(items), batch)
            for _ in range(WINDOWS)
        ],
        engine,
        WINDOWS,
    )


async def capped(engine: Engine, items: Sequence[Candidates], cap: int) -> Outcome:
    """Let all chains run, with a first-come, first-served cap on the windows in flight."""
    loop = asyncio.get_running_loop()
    begun, gate, firsts = loop.time(), asyncio.Semaphore(cap), []

    async def chain(prompt: Prompt) -> None:
        for _ in range(WINDOWS):
            async with gate:
                await engine.complete(Request(prompt, SAMPLING))
        firsts.append(loop.time() - begun)

    await asyncio.gather(*map(chain, _prompts(items)))
    return Outcome(loop.time() - begun, firsts[0])


async def unbound(engine: Engine, items: Sequence[Candidates]) -> Outcome:
    """Ask for all windows at once, as if none needed another one's answer: the bound."""
    return await _timed([[prompt for prompt in _prompts(items) for _ in range(WINDOWS)]], engine, 1)


async def _timed(rounds: list[list[Prompt]], engine: Engine, finished: int) -> Outcome:
    """Ask for one round of prompts after the other; a query is done after `finished` rounds."""
    loop = asyncio.get_running_loop()
    begun, first = loop.time(), 0.0
    for number, prompts in enumerate(rounds, 1):
        await asyncio.gather(*[engine.complete(Request(prompt, SAMPLING)) for prompt in prompts])
        if number == finished:
            first = loop.time() - begun
    return Outcome(loop.time() - begun, first)


def _prompts(items: Sequence[Candidates]) -> list[Prompt]:
    """Return a prompt for each query; what it shows does not matter to these engines."""
    profile = load_recipe("rearank")
    return [
        profile.render(item.query.text, [item.passages[d].text[:400] for d in item.ranking[:20]])
        for item in items
    ]


Schedule = Callable[[Engine, Sequence[Candidates]], Coroutine[None, None, Outcome]]
SCHEDULES: dict[str, Schedule] = {
    "rearank": driver,
    "lockstep, 16 queries": lambda engine, items: lockstep(engine, items, 16),
    "lockstep, all queries": lambda engine, items: lockstep(engine, items, len(items)),
    "first come, cap 32": lambda engine, items: capped(engine, items, 32),
    "first come, cap 256": lambda engine, items: capped(engine, items, 256),
    "no dependencies (bound)": unbound,
}
