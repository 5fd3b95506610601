"""The vocabulary of the program as types; every other module speaks in these.

Records are immutable. Field names are those of ir_measures where it has the same record, so that
ours are accepted by it unconverted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from rearank_cli.errors import RearankError

Ranking = tuple[str, ...]
"""Doc ids of one query, best first, each at most once."""


class Query(NamedTuple):
    """A topic as the model sees it.

    >>> from rearank_cli import Query
    >>> Query("q1", "why is the sky blue?").text
    'why is the sky blue?'
    """

    query_id: str
    text: str


class Passage(NamedTuple):
    """A document's text as the model sees it; `title` may be empty.

    >>> from rearank_cli import Passage
    >>> Passage("d1", "Air scatters blue light.", title="Sky").doc_id
    'd1'
    """

    doc_id: str
    text: str
    title: str = ""


class ScoredDoc(NamedTuple):
    """One line of a run."""

    query_id: str
    doc_id: str
    score: float


class Qrel(NamedTuple):
    """One relevance judgement.

    >>> from rearank_cli import Judgements, Qrel
    >>> Judgements([Qrel("q1", "d1", 2)]).is_relevant("q1", "d1")
    True
    """

    query_id: str
    doc_id: str
    relevance: int


@dataclass(frozen=True, slots=True)
class Run:
    """Rankings by query id, in input order, with the scores they came with.

    `below` are the ids of further hits by query, where a run was read no further than to a depth.

    >>> from rearank_cli import Run
    >>> run = Run.by_rank({"q1": ("d2", "d1")}, "mine")
    >>> run.scores
    {'q1': (2.0, 1.0)}
    """

    rankings: Mapping[str, Ranking]
    scores: Mapping[str, tuple[float, ...]]
    tag: str = ""
    below: Mapping[str, Sequence[str]] = field(default_factory=dict)

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

    @classmethod
    def from_frame(cls, frame: Any, tag: str = "run") -> "Run":
        """Return the run of a pandas frame with a row per hit.

        Columns: `qid` or `query_id`, `docno` or `doc_id`, and where they are there `score` and
        `rank`. Hits are ordered by falling score, equal ones by rank, else as the rows are; without
        scores they count down to 1. Raises `RearankError` for a missing column or value.

        >>> import pandas as pd
        >>> from rearank_cli import Run
        >>> frame = pd.DataFrame({"qid": ["1", "1"], "docno": ["a", "b"], "score": [0.5, 2.0]})
        >>> Run.from_frame(frame).rankings
        {'1': ('b', 'a')}
        """
        from rearank_cli.frames import from_frame

        return from_frame(frame, tag)

    def to_frame(self) -> Any:
        """Return a pandas frame with a row per hit: qid, docno, score, rank (from 0).

        >>> from rearank_cli import Run
        >>> Run.by_rank({"1": ("b", "a")}, "mine").to_frame().values.tolist()
        [['1', 'b', 2.0, 0], ['1', 'a', 1.0, 1]]
        """
        from rearank_cli.frames import to_frame

        return to_frame(self)

    def only(self, query_ids: Iterable[str]) -> "Run":
        """Return a run of these queries alone, in this order; all of them must be there."""
        ids = list(query_ids)
        return Run(
            {query_id: self.rankings[query_id] for query_id in ids},
            {query_id: self.scores[query_id] for query_id in ids},
            self.tag,
            {query_id: self.below[query_id] for query_id in ids if query_id in self.below},
        )

    def keeping(self, keeps: Callable[[str, str], bool]) -> "Run":
        """Return a run with those hits only for which `keeps(query_id, doc_id)` is true."""
        rankings, scores = {}, {}
        for query_id, ranking in self.rankings.items():
            pairs = [
                (doc_id, score)
                for doc_id, score in zip(ranking, self.scores[query_id], strict=True)
                if keeps(query_id, doc_id)
            ]
            rankings[query_id] = tuple(doc_id for doc_id, _ in pairs)
            scores[query_id] = tuple(score for _, score in pairs)
        return Run(rankings, scores, self.tag)


class Window(NamedTuple):
    """A half-open slice [start, stop) of a ranking; index 0 is the best hit."""

    start: int
    stop: int


Kind = Literal["order", "choice", "scores", "letters", "judgement", "likelihood", "relevance"]
"""What an answer is, and how it is read; `methods.answers` has a module for each."""


class Message(NamedTuple):
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = tuple[Message, ...]
"""Chat messages, first to last; the model continues after the last one."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn: at most `max_tokens` tokens; temperature 0 is greedy.

    The other numbers are vLLM's, and their defaults leave the model's distribution as it is:
    `top_k` 0 and `top_p` 1 keep every token. All of them are said in every request, so that the
    defaults of a server or a model never change an answer. Raises `RearankError` for numbers that
    cannot work. `max_thinking_tokens` ends reasoning after so many tokens, so that an answer
    follows; 0 lets it run. It must leave room within `max_tokens`.
    """

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_thinking_tokens: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.max_tokens < 1:
            raise RearankError(f"expected `max_tokens` to be at least 1, found {self.max_tokens}")
        for name, ok, wanted in (
            ("temperature", self.temperature >= 0, "0 or more"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("top_k", self.top_k >= 0, "0 or more"),
            ("min_p", 0 <= self.min_p <= 1, "from 0 to 1"),
            (
                "max_thinking_tokens",
                0 <= self.max_thinking_tokens < self.max_tokens,
                f"0 or more and below `max_tokens`, which is {self.max_tokens}",
            ),
            ("repetition_penalty", self.repetition_penalty > 0, "above 0"),
        ):
            if not ok:
                raise RearankError(f"expected `{name}` to be {wanted}, found {getattr(self, name)}")


class Grammar(NamedTuple):
    """What an answer may be: a regular expression that it matches as a whole.

    Nothing that matches has more than `longest` characters, and so none has more tokens.
    """

    regex: str
    longest: int

    @property
    def room(self) -> int:
        """How many tokens any such answer fits, with the one that ends it."""
        return self.longest + 1


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked.

    `prompt` is a chat, or a plain text that the model continues; `chat_template` are switches of
    the model's own template. `prefill` is how the model's answer begins: it goes on from there, and
    the completion has only what it adds. With `grammar`, nothing else can be written. With
    `choices`, the log-probabilities of these strings as the first
    token of the answer are wanted; with `continuation`, those of the tokens of a text that is put
    behind the prompt, and nothing is generated. With `passage`, the prompt is a query, and a number
    that says how relevant this text is to it is the answer. `sample` tells apart answers to one
    prompt that are drawn several times. With `ranks`, only so many first ranks of the order are
    wanted, and the answer may end when they are known.
    """

    prompt: Prompt | str
    sampling: Sampling
    chat_template: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    continuation: str = ""
    sample: int = 0
    ranks: int = 0
    prefill: str = ""
    grammar: Grammar | None = None
    passage: str = ""

    def whole(self) -> "Request":
        """Return the request for the whole answer, of which any number of ranks can be read."""
        return replace(self, ranks=0) if self.ranks else self

    def identity(self) -> dict[str, Any]:
        """Return everything but the prompt that an engine's answer depends on.

        What has its default is left out where it was not there from the beginning, so that
        answers kept by earlier versions are found.
        """
        sampling = asdict(self.sampling)
        for name, default in _LATER_SAMPLING.items():
            if sampling[name] == default:
                del sampling[name]
        if not self.sampling.temperature:
            sampling["seed"] = 0
        extra = {
            "choices": self.choices,
            "continuation": self.continuation,
            "sample": self.sample,
            "ranks": self.ranks,
            "prefill": self.prefill,
            "passage": self.passage,
            "grammar": self.grammar.regex if self.grammar else "",
        }
        return {
            **sampling,
            "chat_template": dict(self.chat_template),
            **{name: value for name, value in extra.items() if value},
        }


_LATER_SAMPLING = {
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "max_thinking_tokens": 0,
}


class TokenScore(NamedTuple):
    """A token of a continuation and its natural log-probability."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine returns for one request.

    `reasoning` is filled only by servers that deliver it apart from the answer;
    `finish_reason` is `stop`, `length` (cut at the token limit) or `enough` (ended by who heard it,
    since what was wanted of it was there). `choices` holds the natural
    log-probabilities of the strings that the request asked about, `tokens` those of its
    continuation. `seconds` is how long a ready engine took.
    """

    text: str
    reasoning: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached: bool = False
    choices: Mapping[str, float] = field(default_factory=dict)
    tokens: tuple[TokenScore, ...] = ()
    seconds: float = 0.0


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
