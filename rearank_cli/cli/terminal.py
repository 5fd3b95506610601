"""What the person at the terminal sees: how far a reranking is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rearank_cli.log import note
from rearank_cli.reranking.driver import Listener
from rearank_cli.reranking.summary import Summary
from rearank_cli.reranking.trace import AskTrace


class Bar(Listener):
    """Windows done, tokens per second, time left: a bar on a terminal, a few lines elsewhere."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self.summary = Summary()
        self._total = 0
        self._quarter = 1
        self._live: Any = None

    @contextmanager
    def counting(self, windows: int) -> Iterator[None]:
        """Show the bar, up to so many windows, as long as the block runs."""
        self.summary, self._total = Summary(), windows
        if not sys.stderr.isatty():
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
        elif self.summary.asks * 4 >= self._total * self._quarter:
            note(f"{self.summary.asks}/{self._total} windows{self._rate()}")
            self._quarter = self.summary.asks * 4 // self._total + 1

    def _rate(self) -> str:
        """Return the tokens per second; nothing when all answers came from the cache."""
        return f", {self.summary.rate:,.0f} tokens/s" if self.summary.rate >= 1 else ""


def _live_bar() -> Any:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("windows{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
