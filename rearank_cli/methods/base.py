"""What a method is: which passages are shown together, and what follows from the answers.

A method plans one query. `plan(hits)` is a generator that yields stages. All asks of a stage may be
answered at once, in any order; the generator is then sent their answers, in the order of the asks,
and yields the next stage or returns the new ranking. Nothing else is asked of a method: who goes
next, what is cached, what is written down and how it is drawn follow from its stages.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from rearank_cli.errors import RearankError
from rearank_cli.records import Flaws, Kind, Ranking

__all__ = [
    "Answer",
    "Ask",
    "Hit",
    "Kind",
    "Method",
    "Plan",
    "Result",
    "Stage",
    "check_at_least",
    "ids",
]


class Hit(NamedTuple):
    """A document as the first stage found it; without scores in the run, minus its rank.

    >>> from rearank_cli import Hit
    >>> Hit("d1", 12.5).doc_id
    'd1'
    """

    doc_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Ask:
    """The passages of one prompt, in the order shown: any of the query's, each once.

    `needs` is how many ranks of the answer must be known for the next stage to begin; the others
    may be settled later. None means all of them. `sample` tells apart asks about the same passages
    that want an answer each. `wanted` is how many ranks of the answer count at all: the others may
    keep the order shown, and the answer may end before it names them. None means all of them.

    >>> from rearank_cli import Ask
    >>> Ask(("d4", "d1")).doc_ids
    ('d4', 'd1')
    """

    doc_ids: Ranking
    needs: int | None = None
    sample: int = 0
    wanted: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for an ask.

    `ranking` holds the documents of the ask, best first, none lost and none invented; a choice
    puts the chosen one first and leaves the others as shown. `scores` are by doc id, empty where
    the answer had none. `text` is the answer as written, without its `reasoning`. `read` is how
    many first ranks were read of it where the others keep the order shown; 0 means all of it.

    >>> from rearank_cli import Answer
    >>> Answer(("d1", "d4"), text="[2] > [1]").flaws.names()
    ()
    """

    ranking: Ranking
    scores: Mapping[str, float] = field(default_factory=dict)
    flaws: Flaws = field(default_factory=Flaws)
    reasoning: str = ""
    text: str = ""
    read: int = 0


class Stage(NamedTuple):
    """What may be asked at once, and the whole ranking as it stands before the answers.

    A stage without asks is legal: it says where the documents stand, and is answered at once.

    >>> from rearank_cli import Ask, Stage
    >>> len(Stage([Ask(("d1", "d2")), Ask(("d3", "d4"))], ("d1", "d2", "d3", "d4")).asks)
    2
    """

    asks: Sequence[Ask]
    ranking: Ranking


class Result(NamedTuple):
    """How a plan ends: the new ranking, and scores by doc id where the method has any.

    >>> from rearank_cli import Result
    >>> Result(("d4", "d1")).scores
    {}
    """

    ranking: Ranking
    scores: Mapping[str, float] = {}


Plan = Generator[Stage, Sequence[Answer], Result]


class Method(Protocol):
    """A way of asking about a query's hits; its fields are its own numbers.

    `kinds` are the kinds of answer that it can use; `window` is the most passages that it shows in
    one prompt; `repeats` says that it asks one and the same prompt several times. `calls` and
    `path` estimate what a query of so many hits takes: how many asks, and how many stages one
    after the other. They serve the schedule and the bar alone and may be wrong.

    >>> from rearank_cli import Answer, Hit
    >>> from rearank_cli.methods import make_method
    >>> method = make_method("sliding", {"window": 2})
    >>> plan = method.plan([Hit("d1", 3.0), Hit("d2", 2.0), Hit("d3", 1.0)])
    >>> next(plan).asks[0].doc_ids
    ('d2', 'd3')
    >>> plan.send([Answer(("d3", "d2"))]).asks[0].doc_ids
    ('d1', 'd3')
    """

    @property
    def name(self) -> str: ...  # noqa: D102  described above

    @property
    def kinds(self) -> frozenset[Kind]: ...  # noqa: D102  described above

    @property
    def window(self) -> int: ...  # noqa: D102  described above

    @property
    def repeats(self) -> bool: ...  # noqa: D102  described above

    def plan(self, hits: Sequence[Hit]) -> Plan:
        """Yield stages, take their answers, return the new ranking of all hits."""
        ...

    def calls(self, hits: int) -> int:
        """Return about how many asks so many hits take."""
        ...

    def path(self, hits: int) -> int:
        """Return about how many stages follow one another."""
        ...


def ids(hits: Sequence[Hit]) -> Ranking:
    """Return the doc ids of hits, in their order."""
    return tuple(hit.doc_id for hit in hits)


def check_at_least(least: int, **numbers: Any) -> None:
    """Raise `RearankError` for a number below `least`."""
    for name, number in numbers.items():
        if number < least:
            raise RearankError(f"expected `{name}` to be at least {least}, found {number}")
