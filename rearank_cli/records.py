"""The vocabulary of the program as types; every other module speaks in these.

Records are immutable. Field names are those of ir_measures where it has the same record, so that
ours are accepted by it unconverted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

Ranking = tuple[str, ...]
"""Doc ids of one query, best first, each at most once."""


class Query(NamedTuple):
    """A topic as the model sees it."""

    query_id: str
    text: str


class Passage(NamedTuple):
    """A document's text as the model sees it; `title` may be empty."""

    doc_id: str
    text: str
    title: str = ""


class ScoredDoc(NamedTuple):
    """One line of a run."""

    query_id: str
    doc_id: str
    score: float


class Qrel(NamedTuple):
    """One relevance judgement."""

    query_id: str
    doc_id: str
    relevance: int


@dataclass(frozen=True, slots=True)
class Run:
    """Rankings by query id, in input order, with the scores they came with."""

    rankings: Mapping[str, Ranking]
    scores: Mapping[str, tuple[float, ...]]
    tag: str = ""

    @classmethod
    def by_rank(cls, rankings: Mapping[str, Ranking], tag: str) -> "Run":
        """Score every hit by the number of hits from it to the end of its ranking.

        Such scores fall strictly and stay distinct as float32 (trec_eval's type) up to 2**24
        hits, so that no tool finds a tie to break.
        """
        scores = {
            query_id: tuple(float(score) for score in range(len(ranking), 0, -1))
            for query_id, ranking in rankings.items()
        }
        return cls(rankings, scores, tag)


class Window(NamedTuple):
    """A half-open slice [start, stop) of a ranking; index 0 is the best hit."""

    start: int
    stop: int


class Message(NamedTuple):
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = tuple[Message, ...]
"""Chat messages, first to last; the model continues after the last one."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine returns for one prompt.

    `reasoning` is filled only by servers that deliver it apart from the answer;
    `finish_reason` is `stop` or `length` (cut at the token limit).
    """

    text: str
    reasoning: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Flaws:
    """What was wrong with an answer; all empty for a perfect one.

    Identifiers are as shown to the model, 1 for the first passage. `no_answer` means that no
    identifier at all was found where an answer may stand; then nothing else is listed.
    """

    missing: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    truncated: bool = False
    no_answer: bool = False

    def names(self) -> tuple[str, ...]:
        """Return the names of the kinds of flaw that are present, in field order."""
        return tuple(name for name in FLAW_NAMES if getattr(self, name))


FLAW_NAMES: tuple[str, ...] = tuple(Flaws.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Permutation:
    """A full order of a window: `order[i]` is the old index (from 0) of the passage now at i."""

    order: tuple[int, ...]
    reasoning: str = ""
    answer: str = ""
    flaws: Flaws = field(default_factory=Flaws)


class Engine(Protocol):
    """A language model. Opened once, asked many times at once, closed once.

    `reserved` are the strings that the model's tokenizer reads as control tokens; text that is
    data must not contain them. `capacity` is how many prompts in flight keep the engine full.
    """

    @property
    def reserved(self) -> Sequence[str]: ...  # noqa: D102  described above

    @property
    def capacity(self) -> int: ...  # noqa: D102  described above

    async def open(self) -> None:
        """Get ready; raise `EngineError` when that fails."""

    async def generate(self, prompt: Prompt) -> Completion:
        """Complete one prompt; raise `PromptTooLong` or `EngineError`."""
        ...

    async def close(self) -> None:
        """Free everything; safe after a failed `open` and when called twice."""
