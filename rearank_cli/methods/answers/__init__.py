"""From a completion to an answer: one pure reader per kind.

A reader takes the completion, the ask and whether the model was asked to reason. It never loses or
invents a passage, whatever the model wrote, and says in the answer's flaws what was wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rearank_cli.methods.answers import order
from rearank_cli.methods.base import Answer, Ask, Kind
from rearank_cli.records import Completion

Reader = Callable[[Completion, Ask, bool], Answer]


@dataclass(frozen=True, slots=True)
class AnswerKind:
    """How a kind of answer is read."""

    read: Reader


KINDS: dict[Kind, AnswerKind] = {"order": AnswerKind(order.read)}
