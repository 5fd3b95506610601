"""Requests about one query go to servers together: each waits a moment for others to join it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rearank_cli.errors import PromptTooLong
from rearank_cli.records import Completion, Request

# As long as in so many seconds another request about the query comes, more may: the cache answers
# or passes on one after the other.
COMPANY = 0.01

AskTogether = Callable[[Sequence[Request]], Awaitable[Sequence[Completion]]]
"""Answers requests about one query, in their order; raises for all of them."""


@dataclass(slots=True)
class _Job:
    """A request, and who waits for its answer."""

    request: Request
    answer: "asyncio.Future[Completion]"


class Gathering:
    """Asks for requests with the same prompt together, at most `most` at once.

    Which ones go together changes no answer. One that is too long for the model is found by
    halving, and fails alone.
    """

    def __init__(self, ask: AskTogether, most: int) -> None:
        """Nobody waits yet."""
        self._ask = ask
        self._most = most
        self._open: dict[str, list[_Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def complete(self, request: Request) -> Completion:
        """Return the answer to one request; raise what asking raised."""
        job = _Job(request, asyncio.get_running_loop().create_future())
        query = str(request.prompt)
        together = self._open.get(query)
        if together is None or len(together) >= self._most:
            together = self._open[query] = []
            task = asyncio.create_task(self._lead(query, together))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        together.append(job)
        return await job.answer

    async def _lead(self, query: str, together: list[_Job]) -> None:
        """Wait until no more come, then ask; nobody is left waiting, whatever happens."""
        seen = 0
        try:
            while seen < len(together) < self._most:
                seen = len(together)
                await asyncio.sleep(COMPANY)
            if self._open.get(query) is together:
                del self._open[query]
            await self._answer(together)
        finally:
            _let_go(together)

    async def _answer(self, jobs: Sequence[_Job]) -> None:
        jobs = [job for job in jobs if not job.answer.done()]  # a cancelled one is not asked
        if not jobs:
            return
        try:
            found = await self._ask([job.request for job in jobs])
        except PromptTooLong as error:
            if len(jobs) == 1:
                _fail(jobs, error)
                return
            half = len(jobs) // 2
            await asyncio.gather(self._answer(jobs[:half]), self._answer(jobs[half:]))
        except Exception as error:  # noqa: BLE001  whoever waits gets it
            _fail(jobs, error)
        else:
            for job, completion in zip(jobs, found, strict=True):
                if not job.answer.done():
                    job.answer.set_result(completion)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for together in self._open.values():  # a task that had not begun has not let go of them
            _let_go(together)


def _let_go(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.answer.cancel()  # does nothing to one that is done


def _fail(jobs: Sequence[_Job], error: Exception) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(error)
