"""The shapes of answers; what was never set is left out."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, JsonValue, RootModel

from rearank_cli.reranking.trace import AskTrace

Scores = Literal["rank", "method"]
"""What relevance scores are: by rank, or the method's own."""


class Window(BaseModel):
    """One window: positions of documents as shown and as the model ordered them, and why.

    `ranks` is where they stood before, from 1; `flaws` are named, none for a perfect answer.
    """

    ranks: str
    shown: list[int]
    order: list[int]
    reasoning: str
    answer: str
    flaws: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cached: bool


def windows(traces: Sequence[AskTrace]) -> list[Window]:
    """Return an account of every window, in the order they ran."""
    return [
        Window(
            ranks=trace.ranks,
            shown=[int(doc_id) for doc_id in trace.before],
            order=[int(doc_id) for doc_id in trace.after],
            reasoning=trace.reasoning,
            answer=trace.answer,
            flaws={name: value for name, value in asdict(trace.flaws).items() if value},
            prompt_tokens=trace.prompt_tokens,
            completion_tokens=trace.completion_tokens,
            seconds=trace.seconds,
            cached=trace.cached,
        )
        for trace in traces
    ]


class Ranked(BaseModel):
    """One document's place among Cohere's and Jina's results."""

    index: int
    relevance_score: float
    document: dict[str, JsonValue] | None = None


class Tokens(BaseModel):
    """Tokens of prompts and answers, as Cohere calls them."""

    input_tokens: int
    output_tokens: int


class Meta(BaseModel):
    """Cohere's account of a call."""

    api_version: dict[str, str]
    tokens: Tokens


class Usage(BaseModel):
    """Jina's and Voyage's account of a call: tokens of prompts, and of prompts and answers."""

    total_tokens: int
    prompt_tokens: int


class CommonAnswer(BaseModel):
    """The answer that Cohere's and Jina's clients read."""

    id: str
    object: str
    model: str
    results: list[Ranked]
    usage: Usage
    meta: Meta
    scores: Scores
    windows: list[Window] | None = None


class VoyageRanked(BaseModel):
    """One document's place in Voyage's data."""

    index: int
    relevance_score: float
    document: str | None = None


class VoyageAnswer(BaseModel):
    """The answer that Voyage's clients read."""

    object: str
    data: list[VoyageRanked]
    model: str
    usage: Usage
    scores: Scores
    windows: list[Window] | None = None


class TeiRanked(BaseModel):
    """One text's place in the answer of text-embeddings-inference."""

    index: int
    score: float
    text: str | None = None
    windows: list[Window] | None = None


class TeiAnswer(RootModel[list[TeiRanked]]):
    """The answer that clients of text-embeddings-inference read."""
