"""Counts over a reranking: what was done, what was flawed, what it cost."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rearank_cli.log import counted
from rearank_cli.records import FLAW_NAMES
from rearank_cli.reranking.trace import AskTrace


class Summary:
    """Counts over the asks answered so far; `retries` are an engine's own, by cause.

    `taken_back` are asks beside them that had been begun early and were not needed.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self.asks = self.cached = self.prompt_tokens = self.completion_tokens = 0
        self.flaws: Counter[str] = Counter()
        self.shortened = self.taken_back = 0
        self.retries: Mapping[str, int] = {}
        self._begun = self._asked = time.monotonic()

    def ready(self) -> None:
        """Count the rate of tokens from now on: until now the engine was starting."""
        self._asked = time.monotonic()

    def add(self, trace: AskTrace) -> None:
        """Count one ask; tokens of cached answers cost nothing and are not counted."""
        self.asks += 1
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

    def counts(self) -> dict[str, Any]:
        """Return the counts so far as JSON has them; seconds are since the start."""
        return {
            "asks": self.asks,
            "cached": self.cached,
            "flaws": {name: self.flaws[name] for name in FLAW_NAMES},
            "shortened": self.shortened,
            "taken_back": self.taken_back,
            "retries": dict(self.retries),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds": round(self.seconds, 3),
        }

    def sentence(self, queries: int) -> str:
        """Return the last word: what was done, what was flawed, what it cost."""
        found = [f"{self.flaws[name]} {name.replace('_', ' ')}" for name in FLAW_NAMES]
        parts = [
            f"{counted(queries, 'query')}, {counted(self.asks, 'window')}"
            + (f" ({self.cached} from the cache)" if self.cached else ""),
            f"windows with flaws: {', '.join(found) if self.flaws else 'none'}",
            *self._asides(),
            *([f"tried again: {_counts(self.retries)}"] if self.retries else []),
            f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out",
            f"{self.seconds:.1f} s",
        ]
        return "; ".join(parts)

    def _asides(self) -> Iterator[str]:
        """Yield what happened to some windows beside their answers."""
        if self.shortened:
            yield f"{counted(self.shortened, 'window')} with shortened passages"
        if self.taken_back:
            yield f"{self.taken_back} begun early and taken back"


def _counts(causes: Mapping[str, int]) -> str:
    """Return counts by cause, the most frequent first: `12 × 503, 2 × timeout`."""
    ordered = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} × {cause}" for cause, count in ordered)
