"""One passage at a time: all hits are judged at once, each for itself, and sorted by score."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from rearank_cli.errors import RearankError
from rearank_cli.methods.base import Ask, Hit, Kind, Plan, Result, Stage, check_at_least, ids
from rearank_cli.methods.scoring import Mixture, by_score, completed, mean_scores, mixed


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Ask about every passage alone, `samples` times, and sort by the mean of its scores.

    `scale` and `first_stage` mix in the scores of the first stage (see `scoring.Mixture`); without
    one of them the model's scores alone count. A passage whose answer could not be read gets the
    mean of the others; ties keep the first stage's order.
    """

    scale: float | None = None
    first_stage: float | None = None
    samples: int = 1

    name: ClassVar[str] = "pointwise"
    kinds: ClassVar[frozenset[Kind]] = frozenset(("judgement", "likelihood", "relevance", "scores"))

    def __post_init__(self) -> None:
        """Raise `RearankError` for numbers that cannot work."""
        check_at_least(1, samples=self.samples)
        if self.scale is not None and self.first_stage is not None:
            raise RearankError(
                "expected `scale` or `first_stage`, found both",
                hint="both say how the first stage's scores are mixed in, each in its own way",
            )
        if self.scale is not None and not (isfinite(self.scale) and self.scale >= 0):
            raise RearankError(f"expected `scale` to be 0 or more, found {self.scale}")
        if self.first_stage is not None and not 0 <= self.first_stage <= 1:
            raise RearankError(
                f"expected `first_stage` to be from 0 to 1, found {self.first_stage}"
            )

    @property
    def window(self) -> int:
        """Passages in one prompt: 1."""
        return 1

    @property
    def repeats(self) -> bool:
        """Whether one prompt is asked several times."""
        return self.samples > 1

    def plan(self, hits: Sequence[Hit]) -> Plan:
        """Yield one stage with all passages; a single hit needs none."""
        order = ids(hits)
        asks = [
            Ask((doc_id,), sample=sample)
            for sample in range(self.samples if len(order) > 1 else 0)
            for doc_id in order
        ]
        answers = (yield Stage(asks, order)) if asks else []
        found = mean_scores(answers)
        if not found:
            return Result(order)
        scores = mixed(hits, completed(hits, found), Mixture(self.scale, self.first_stage))
        return Result(by_score(hits, scores), scores)

    def calls(self, hits: int) -> int:
        """Return the number of passages, as often as they are asked about."""
        return self.samples * hits if hits > 1 else 0

    def path(self, hits: int) -> int:
        """Return 1: all passages are asked about at once."""
        return int(hits > 1)
