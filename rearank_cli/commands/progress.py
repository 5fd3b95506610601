"""What the person at the terminal sees while windows are being reranked."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rearank_cli.listwise.trace import WindowTrace
from rearank_cli.log import note
from rearank_cli.records import FLAW_NAMES


class Tally:
    """Counts over the windows done so far."""

    def __init__(self) -> None:
        """Start the clock."""
        self.windows = self.cached = self.prompt_tokens = self.completion_tokens = 0
        self.flaws: Counter[str] = Counter()
        self.shortened = 0
        self._begun = time.monotonic()

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
        """Tokens per second, in and out."""
        return (self.prompt_tokens + self.completion_tokens) / max(self.seconds, 1e-9)

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


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """Show that something is going on: a spinner on a terminal, one line elsewhere."""
    if not sys.stderr.isatty():
        note(text)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


class Bar:
    """Windows done, tokens per second, time left: a bar on a terminal, four lines elsewhere."""

    def __init__(self, windows: int) -> None:
        """Count up to `windows`."""
        self.tally = Tally()
        self._total = windows
        self._quarter = 1
        self._live = sys.stderr.isatty()

    def advance(self, trace: WindowTrace) -> None:
        """Note that a window is done."""
        self.tally.add(trace)
        if self._live:
            self._progress.update(self._task, advance=1, rate=f"{self.tally.rate:,.0f}")
        elif self.tally.windows * 4 >= self._total * self._quarter:
            note(f"{self.tally.windows}/{self._total} windows, {self.tally.rate:,.0f} tokens/s")
            self._quarter = self.tally.windows * 4 // self._total + 1

    def __enter__(self) -> "Bar":
        """Show the bar."""
        if self._live:
            from rich import progress as rich
            from rich.console import Console

            self._progress = rich.Progress(
                rich.TextColumn("reranking"),
                rich.BarColumn(),
                rich.MofNCompleteColumn(),
                rich.TextColumn("windows  {task.fields[rate]} tokens/s"),
                rich.TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task("rerank", total=self._total, rate="0")
            self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the bar."""
        if self._live:
            self._progress.stop()
