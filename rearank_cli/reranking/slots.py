"""How many requests may be in flight: as many as fit the engine's cache of keys and values.

An engine that is given more queues them itself, in the order in which they came, and may throw out
what it has begun; then our order of who goes next is lost.
"""

from rearank_cli.engines.base import Engine
from rearank_cli.records import Completion, Request

# Characters of English per token, about; used until answers tell the real length of prompts.
CHARS_PER_TOKEN = 4
# From so many answers on their mean length counts, and no guess.
KNOWN_FROM = 8


class Slots:
    """Tells the number of slots, from the engine's room and the lengths seen so far.

    `limit` is what the user asked for; then nothing else counts.
    """

    def __init__(self, engine: Engine, limit: int | None) -> None:
        """Know nothing of lengths yet."""
        self._engine = engine
        self._limit = limit
        self._guess = 0
        self._answers = self._tokens = 0

    def expect(self, request: Request) -> None:
        """Take a request as the measure of what is to come, until answers tell."""
        if not self._guess:
            prompt = request.prompt
            text = prompt if isinstance(prompt, str) else "".join(turn.content for turn in prompt)
            self._guess = len(text) // CHARS_PER_TOKEN + request.sampling.max_tokens // 2

    def note(self, completion: Completion) -> None:
        """Learn from the length of a prompt and its answer; a cached one took no room."""
        tokens = completion.prompt_tokens + completion.completion_tokens
        if tokens and not completion.cached:
            self._answers += 1
            self._tokens += tokens

    def __call__(self) -> int:
        """Return how many requests may be in flight now; at least 1."""
        if self._limit:
            return self._limit
        each = self._tokens // self._answers if self._answers >= KNOWN_FROM else self._guess
        room = self._engine.kv_tokens
        fits = room // each if room and each else self._engine.capacity
        return max(1, min(fits, self._engine.capacity))
