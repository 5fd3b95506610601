"""A scripted engine that tells its answers piece by piece."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from scripted import ScriptedEngine

from rearank_cli.engines.base import ENOUGH, Heard
from rearank_cli.records import Completion, Request


def letters(text: str) -> list[str]:
    """Cut a text into its characters."""
    return list(text)


def cut_by(seed: int) -> Callable[[str], list[str]]:
    """Return a function that cuts texts anywhere, in the same way every time."""

    def cut(text: str) -> list[str]:
        chance = random.Random(f"{seed} {text}")
        pieces = []
        while text:
            size = chance.choice([1, 1, 2, 3, 5, 8, 40])
            pieces.append(text[:size])
            text = text[size:]
        return pieces

    return cut


class StreamedEngine(ScriptedEngine):
    """Answers as its script says, in `pieces`, each after as many turns of the loop as `turns`.

    `events` notes what happened: ("asked" | "told" | "cancelled" | "enough", number of the ask).
    """

    def __init__(
        self,
        *arguments: Any,
        pieces: Callable[[str], Sequence[str]] = letters,
        turns: Callable[[str], int] = lambda piece: 1,
        **named: Any,
    ) -> None:
        super().__init__(*arguments, **named)
        self.pieces = pieces
        self.turns = turns
        self.events: list[tuple[str, int]] = []

    def count(self, event: str) -> int:
        return sum(name == event for name, _ in self.events)

    async def complete(self, request: Request) -> Completion:
        return await self.stream(request, lambda so_far: False)

    async def stream(self, request: Request, heard: Heard) -> Completion:
        number = len(self.requests)
        self.events.append(("asked", number))
        try:
            return await self._stream(request, heard, number)
        except asyncio.CancelledError:
            self.events.append(("cancelled", number))
            raise

    async def _stream(self, request: Request, heard: Heard, number: int) -> Completion:
        answer = await super().complete(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            text = ""
            for tokens, piece in enumerate(self.pieces(answer.text), 1):
                for _ in range(self.turns(piece)):
                    await asyncio.sleep(0)
                text += piece
                so_far = Completion(text, answer.reasoning, ENOUGH, 7, tokens)
                if heard(so_far):
                    self.events.append(("enough", number))
                    return so_far
        finally:
            self.in_flight -= 1
        self.events.append(("told", number))
        return answer
