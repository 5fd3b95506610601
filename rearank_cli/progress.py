"""Long work tells how far it is to whoever wants to know; by default nobody does."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

INTERVAL = 15.0
"""Seconds between two plain lines about one piece of work."""

STEPS = "steps"
"""The unit of a training, which says itself now and then how far it is, with its figures."""

Advance = Callable[[int], None]
"""Is told how many more units are done."""

Draw = Callable[[str, str, int | None], AbstractContextManager[Advance]]
"""Shows work of this label, unit and total (None: unknown) as long as the context lasts."""


def _nothing(label: str, unit: str, total: int | None) -> AbstractContextManager[Advance]:
    return nullcontext(lambda count: None)


_DRAW: ContextVar[Draw] = ContextVar("draw", default=_nothing)


def progress(label: str, unit: str, total: int | None = None) -> AbstractContextManager[Advance]:
    """Return a context that yields a function to be told how many more units are done.

    `total` may be unknown. `bytes` are shown as megabytes.
    """
    return _DRAW.get()(label, unit, total)


@contextmanager
def shown_by(draw: Draw) -> Iterator[None]:
    """Show the progress of everything that is done in the block."""
    token = _DRAW.set(draw)
    try:
        yield
    finally:
        _DRAW.reset(token)


def shown(count: int, unit: str) -> str:
    """Return a count with its unit, bytes as megabytes of 10**6."""
    return f"{count / 1e6:,.1f} MB" if unit == "bytes" else f"{count:,} {unit}"
