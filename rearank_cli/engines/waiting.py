"""Requests that wait for a model, and which of them are answered together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rearank_cli.engines.splitting import Asked
from rearank_cli.records import Completion, Request

# Prompts with continuations in one call: enough to share between, few enough for a bar to move.
SCORED = 64


@dataclass(slots=True)
class Job:
    """A request with its tokens, and who waits for its answer."""

    request: Request
    asked: Asked
    answer: "asyncio.Future[Completion]"

    @property
    def scored(self) -> bool:
        """Whether the log-probabilities of a continuation are wanted."""
        return self.asked.split is not None


def together(waiting: Sequence[Job], generated: int) -> list[Job]:
    """Return what is answered next: the oldest request, and those that cost least beside it."""
    oldest = waiting[0]
    if not oldest.scored:
        # What is drawn at random must not depend on what else is asked.
        alone = bool(oldest.request.sampling.temperature)
        same = [
            job
            for job in waiting
            if not job.scored and job.request.sampling == oldest.request.sampling
        ]
        return same[: 1 if alone else generated]
    jobs = [job for job in waiting if job.scored]
    jobs.sort(
        key=lambda job: (len(job.asked.prompt), job.asked.prompt)
    )  # the like in length, the same
    at = next(place for place, job in enumerate(jobs) if job is oldest)
    start = max(0, min(at, len(jobs) - SCORED))
    while start and jobs[start - 1].asked.prompt == jobs[start].asked.prompt:
        start -= 1
    stop = min(start + SCORED, len(jobs))
    while stop < len(jobs) and jobs[stop].asked.prompt == jobs[stop - 1].asked.prompt:
        stop += 1
    return jobs[start:stop]
