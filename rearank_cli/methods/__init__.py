"""Strategies: which passages a model is shown together, and what follows from its orders.

A strategy is a module with three pure functions:

- `plan(ranking, size, stride)` is a generator. It yields stages: lists of `Shown`, which may all be
  asked at once; it is sent a list with the new order of each; it returns the new ranking.
- `calls(hits, size, stride)` is how many windows it takes, or at least takes.
- `path(hits, size, stride)` is how many stages, one after the other.

A new strategy is one more module, named in `STRATEGIES`.
"""

from rearank_cli.methods import sliding, topdown
from rearank_cli.methods.base import Shown, Strategy

STRATEGIES: dict[str, Strategy] = {"sliding": sliding, "topdown": topdown}

__all__ = ["STRATEGIES", "Shown", "Strategy"]
