"""What the person at the terminal sees: how far a reranking is."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rearank_cli.cli import machine
from rearank_cli.log import note
from rearank_cli.progress import INTERVAL
from rearank_cli.reranking.driver import Listener
from rearank_cli.reranking.summary import Summary
from rearank_cli.reranking.trace import AskTrace


class Bar(Listener):
    """Windows done, tokens per second, time left: a bar on a terminal, a few lines elsewhere."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self.summary = Summary()
        self.name = ""  # which output it is about: several commands may share a terminal
        self._total = 0
        self._told = 0.0
        self._live: Any = None

    @contextmanager
    def counting(self, windows: int) -> Iterator[None]:
        """Show the bar, up to so many windows, as long as the block runs."""
        self.summary, self._total = Summary(), windows
        self._told = time.monotonic()
        if machine.is_quiet() or not sys.stderr.isatty():
            yield
            return
        with _live_bar() as self._live:
            self._task = self._live.add_task("reranking", total=windows, rate="")
            yield
        self._live = None

    def say(self, text: str) -> None:
        """Tell what a starting engine is doing; may be called from any thread."""
        self.summary.ready()
        if self._live:
            self._live.update(self._task, description=text)
        else:
            note(text)

    def answered(self, trace: AskTrace, expected: int) -> None:
        """Note that an ask was answered."""
        self.summary.add(trace)
        self._total = expected
        if self._live:
            self._live.update(
                self._task, advance=1, total=expected, description="reranking", rate=self._rate()
            )
        elif time.monotonic() - self._told >= INTERVAL:
            self._told = time.monotonic()
            note(f"{self.place}{self.summary.asks}/{expected} windows{self._rate()}{self._time()}")

    def taken_back(self, asks: int) -> None:
        """Note that asks were begun early in vain."""
        self.summary.taken_back += asks

    @property
    def place(self) -> str:
        """What stands in front of a line."""
        return f"{self.name}: " if self.name else ""

    def _time(self) -> str:
        """Return the time that has passed, and about how much there is left."""
        summary = self.summary
        left = summary.seconds * (self._total - summary.asks) / max(summary.asks, 1)
        return f", {summary.seconds:.0f} s, about {left:.0f} s left"

    def _rate(self) -> str:
        """Return the tokens per second; nothing when all answers came from the cache."""
        return f", {self.summary.rate:,.0f} tokens/s" if self.summary.rate >= 1 else ""


class JsonLines(Bar):
    """The same for a program: a line of JSON for every `INTERVAL` seconds, and for the last ask."""

    INTERVAL = 1.0

    def __init__(self) -> None:
        """Switch on JSON for everything else that is said."""
        super().__init__()
        machine.switch_on()
        self._told = 0.0

    @contextmanager
    def counting(self, windows: int) -> Iterator[None]:
        """Count, up to so many windows, as long as the block runs."""
        self.summary, self._total = Summary(), windows
        yield

    def say(self, text: str) -> None:
        """Tell what a starting engine is doing; may be called from any thread."""
        self.summary.ready()
        machine.tell("engine", text=text)

    def answered(self, trace: AskTrace, expected: int) -> None:
        """Note that an ask was answered."""
        self.summary.add(trace)
        now = time.monotonic()
        if now - self._told >= self.INTERVAL or self.summary.asks == expected:
            self._told = now
            machine.tell("progress", expected=expected, **self.summary.counts())


def listener(progress: machine.Progress) -> Bar:
    """Return what hears of a reranking and tells it."""
    return JsonLines() if progress is machine.Progress.JSON else Bar()


def _live_bar() -> Any:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("windows{task.fields[rate]}"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
