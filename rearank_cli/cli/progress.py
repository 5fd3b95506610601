"""What the person at the terminal sees while windows are being reranked."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rearank_cli.log import note
from rearank_cli.records import FLAW_NAMES
from rearank_cli.reranking.trace import WindowTrace


class Tally:
    """Counts over the windows done so far."""

    def __init__(self) -> None:
        """Start the clock."""
        self.windows = self.cached = self.prompt_tokens = self.completion_tokens = 0
        self.flaws: Counter[str] = Counter()
        self.shortened = 0
        self._begun = self._asked = time.monotonic()

    def ready(self) -> None:
        """Count the rate of tokens from now on: until now the engine was starting."""
        self._asked = time.monotonic()

    def add(self, trace: WindowTrace) -> None:
        """Count one window; tokens of cached answers cost nothing and are not counted."""
        self.windows += 1
        self.flaws.update(trace.flaws.names())
        self.shortened += trace.shortened
        if trace.cached:
            self.cached += 1
        else:
            self.prompt_tokens += trace.prompt_tokens
            self.completion_tokens += trace.completion_tokens

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun

    @property
    def rate(self) -> float:
        """Tokens per second, in and out, since the engine was ready."""
        seconds = time.monotonic() - self._asked
        return (self.prompt_tokens + self.completion_tokens) / max(seconds, 1e-9)

    def summary(self, queries: int) -> str:
        """Return the last word: what was done, what was flawed, what it cost."""
        found = [f"{self.flaws[name]} {name.replace('_', ' ')}" for name in FLAW_NAMES]
        parts = [
            f"{queries} queries, {self.windows} windows"
            + (f" ({self.cached} from the cache)" if self.cached else ""),
            f"windows with flaws: {', '.join(found) if self.flaws else 'none'}",
            *([f"{self.shortened} windows with shortened passages"] if self.shortened else []),
            f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out",
            f"{self.seconds:.1f} s",
        ]
        return "; ".join(parts)


class Bar:
    """Windows done, tokens per second, time left: a bar on a terminal, a few lines elsewhere."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self.tally = Tally()
        self._total = 0
        self._quarter = 1
        self._live: Any = None

    @contextmanager
    def counting(self, windows: int) -> Iterator[None]:
        """Show the bar, up to so many windows, as long as the block runs."""
        self.tally, self._total = Tally(), windows
        if not sys.stderr.isatty():
            yield
            return
        with _live_bar() as self._live:
            self._task = self._live.add_task("reranking", total=windows, rate="")
            yield
        self._live = None

    def say(self, text: str) -> None:
        """Tell what a starting engine is doing; may be called from any thread."""
        self.tally.ready()
        if self._live:
            self._live.update(self._task, description=text)
        else:
            note(text)

    def advance(self, trace: WindowTrace) -> None:
        """Note that a window is done."""
        self.tally.add(trace)
        if self._live:
            self._live.update(self._task, advance=1, description="reranking", rate=self._rate())
        elif self.tally.windows * 4 >= self._total * self._quarter:
            note(f"{self.tally.windows}/{self._total} windows{self._rate()}")
            self._quarter = self.tally.windows * 4 // self._total + 1

    def _rate(self) -> str:
        """Return the tokens per second; nothing when all answers came from the cache."""
        return f", {self.tally.rate:,.0f} tokens/s" if self.tally.rate >= 1 else ""


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
