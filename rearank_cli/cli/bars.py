"""Progress on stderr: a bar on a terminal, now and then a plain line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rearank_cli.cli import machine
from rearank_cli.log import note
from rearank_cli.progress import INTERVAL, STEPS, shown


@contextmanager
def draw(label: str, unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many more units are done; see `progress.Draw`."""
    if machine.is_quiet():
        yield lambda count: None
    elif sys.stderr.isatty() and not machine.is_on():
        with _bar(label, unit, total) as advance:
            yield advance
    elif unit == STEPS:
        yield lambda count: None
    else:
        yield _Lines(label, unit, total).advance


class _Lines:
    """A line every `INTERVAL` seconds, for logs; nothing at all for short work."""

    def __init__(self, label: str, unit: str, total: int | None) -> None:
        self._label, self._unit, self._total = label, unit, total
        self._begun = self._told = time.monotonic()
        self._done = 0

    def advance(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._told >= INTERVAL:
            self._told = now
            if machine.is_on():
                machine.tell(
                    "work", label=self._label, unit=self._unit, done=self._done, total=self._total
                )
                return
            done = shown(self._done, self._unit)
            whole = f" of {shown(self._total, self._unit)}" if self._total else ""
            passed = now - self._begun
            speed = shown(int(self._done / passed), self._unit)
            left = passed * (self._total - self._done) / self._done if self._total else 0
            about = f", about {left:.0f} s left" if left > 0 else ""
            note(f"{self._label}: {done}{whole}, {speed} per second, {passed:.0f} s{about}")


@contextmanager
def _bar(label: str, unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        TimeElapsedColumn(),
        *([TimeRemainingColumn()] if total else []),
    )
    begun = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, done="")

        def advance(count: int) -> None:
            done = int(bar.tasks[task].completed) + count
            speed = int(done / max(time.monotonic() - begun, 0.001))
            rate = f", {shown(speed, unit)}/s" if speed else ""  # a step may take minutes
            text = f"{shown(done, unit)}{rate}"
            bar.update(task, advance=count, done=text)

        yield advance
