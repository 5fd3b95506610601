"""Which slices of a ranking the model sees, and in which order."""

from rearank_cli.errors import RearankError
from rearank_cli.records import Window


def check_window(size: int, stride: int) -> None:
    """Raise `RearankError` unless windows of this size and stride reach every hit."""
    if size < 2:
        raise RearankError(f"expected a window of at least 2 passages, found {size}")
    if not 1 <= stride < size:
        raise RearankError(
            f"expected a stride between 1 and {size - 1} (the window is {size}), found {stride}",
            hint="windows must overlap, or no passage can rise above its window",
        )


def windows(hits: int, size: int = 20, stride: int = 10) -> list[Window]:
    """Return the windows over `hits` positions, from the bottom of the ranking to its top.

    Windows end at `hits`, `hits - stride`, …; the last one is always [0, min(size, hits)), so
    that every position is shown at least once. There is one window when `hits <= size`, else
    1 + ceil((hits - size) / stride). Bottom-up order is that of RankGPT (arXiv 2304.09542).
    """
    if hits < 1:
        return []
    slices = [Window(stop - size, stop) for stop in range(hits, size, -stride)]
    return [*slices, Window(0, min(size, hits))]
