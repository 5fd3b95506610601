"""What the actors of the tests of clusters are made of; the nodes import it by its name."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripted import ScriptedEngine, by_number

from rearank_cli.engines.base import EngineSettings
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong
from rearank_cli.lucene.bm25 import Search
from rearank_cli.lucene.plain import Hit
from rearank_cli.lucene.spread import Found
from rearank_cli.records import Completion, Query, Request


class NotedEngine(ScriptedEngine):
    """A scripted engine that leaves a line in `log` for every call, with its process's id.

    Files beside the log say what happens to it: answers wait while there is `hold`, an engine does
    not start while there is `broken`, and one dies when there is `dies-PID`.
    """

    def __init__(self, log: Path, seconds: float, capacity: int) -> None:
        super().__init__(by_number, lambda prompt: seconds, capacity)
        self._log = log
        self.dead = False
        self.kv_tokens = 1000 * capacity

    async def open(self) -> None:
        if (self._log.parent / "broken").exists():
            raise EngineStartError("no memory for it")
        note(self._log, "open")

    async def complete(self, request: Request) -> Completion:
        text = str(request.prompt)
        note(self._log, "ask")
        if "too long" in text:
            raise PromptTooLong(70, 50)
        if "poison" in text or (self._log.parent / f"dies-{os.getpid()}").exists():
            self.dead = True
            raise EngineError("the engine died: out of memory")
        while (self._log.parent / "hold").exists():
            await asyncio.sleep(0.02)
        found = await super().complete(request)
        note(self._log, "answer")
        return found

    async def close(self) -> None:
        note(self._log, "close")


def note(log: Path, what: str) -> None:
    with log.open("a") as file:  # short lines are appended whole
        file.write(f"{what} {os.getpid()}\n")


def looked_up(index: str, queries: Sequence[Query], how: Search, brief: bool) -> Found:
    """Stand in for `spread.look_up`: find every query's own id, and note it in a log."""
    log = Path(index) / "log"
    note(log, "ask")
    while (log.parent / "hold").exists():
        time.sleep(0.02)
    note(log, "answer")
    return Found("here", {}, {each.query_id: [Hit(each.query_id, 1.0, 1.0)] for each in queries})


@dataclass(frozen=True)
class ScriptedKit:
    """Replicas with scripted engines; `mixed` gives every process another version of vLLM."""

    log: Path
    seconds: float = 0.02
    capacity: int = 4
    mixed: bool = False
    revision: str = ""

    def make(self, settings: EngineSettings) -> NotedEngine:
        return NotedEngine(self.log, self.seconds, self.capacity)

    def traits(self, settings: EngineSettings) -> Mapping[str, str]:
        version = str(os.getpid()) if self.mixed else "1"
        revision = self.revision or settings.model.revision
        return {"vLLM": version, "the model's revision": revision}


def main() -> None:
    """Run the command `rearank` with scripted engines in its actors; the log is named first."""
    import rearank_cli.engines.ray as engine
    from rearank_cli.cli.app import main as command

    log = Path(sys.argv.pop(1))
    setattr(engine, "VllmKit", lambda: ScriptedKit(log))  # noqa: B010
    command()
