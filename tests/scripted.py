"""An engine whose answers are written down, for tests of what is around an engine."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from rearank_cli.engines.base import Ability
from rearank_cli.records import Completion, Passage, Prompt, Query, Request

SHOWN = re.compile(r"^\[(\d+)\] (.*)$", re.DOTALL)


def shown(prompt: Prompt) -> list[str]:
    """Return the passages of a prompt in the rearank profile, in the order shown."""
    return [match[2] for message in prompt if (match := SHOWN.match(message.content))]


def by_number(prompt: Prompt) -> str:
    """Order passages such as "passage 07" by their number, lowest first."""
    numbers = [int(re.findall(r"\d+", text)[-1]) for text in shown(prompt)]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    return f"<think>by number</think><answer>{ids(order)}</answer>"


def ids(order: Sequence[int]) -> str:
    return " > ".join(f"[{index + 1}]" for index in order)


class ScriptedEngine:
    """Answers with `script(prompt)` after `seconds(prompt)`; notes how it was used.

    A script returns a text, or a whole completion with log-probabilities. The prompt is a chat, or
    the plain text of a recipe that is one.
    """

    reserved: Sequence[str] = ()
    kv_tokens = 0
    most_choices = 0

    def __init__(
        self,
        script: Callable[[Any], str | Completion] = by_number,
        seconds: Callable[[Any], float] = lambda prompt: 0.0,
        capacity: int = 8,
        abilities: Sequence[Ability] = get_args(Ability),
        **identity: Any,
    ) -> None:
        self._identity = {"model": "scripted", **identity}
        self.requests: list[Request] = []
        self.script = script
        self.seconds = seconds
        self.capacity = capacity
        self.abilities = frozenset(abilities)
        self.prompts: list[Any] = []
        self.in_flight = self.peak = self.opened = self.closed = 0

    def identity(self) -> Mapping[str, Any]:
        return self._identity

    async def open(self) -> None:
        self.opened += 1

    async def complete(self, request: Request) -> Completion:
        prompt = request.prompt
        self.requests.append(request)
        self.prompts.append(prompt)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(self.seconds(prompt))
            answer = self.script(prompt)
        finally:
            self.in_flight -= 1
        return answer if isinstance(answer, Completion) else Completion(answer)

    async def close(self) -> None:
        self.closed += 1


def query(name: str = "q1") -> Query:
    return Query(name, f"what is {name}")


def numbered(count: int) -> dict[str, Passage]:
    """Return passages d00, d01, … that say their number."""
    return {f"d{n:02}": Passage(f"d{n:02}", f"passage {n:02}") for n in range(count)}
