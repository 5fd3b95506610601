"""What clients of rerank services send, and what they read in the answer.

`Common` is the body of Cohere (v1 and v2) and of Jina; its answer has the fields of all three.
`Voyage` is told by `top_k` or `truncation`, `Tei` (text-embeddings-inference) by `texts`. All of
them take our own `explain`, `recipe` and `depth`.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    RootModel,
    Tag,
)

from rearank_cli.records import Passage
from rearank_cli.serving.answers import (
    CommonAnswer,
    Meta,
    Ranked,
    TeiAnswer,
    TeiRanked,
    Tokens,
    Usage,
    VoyageAnswer,
    VoyageRanked,
    windows,
)
from rearank_cli.serving.refusals import unread
from rearank_cli.serving.service import Done, Job


def _check(document: Any) -> Any:
    if isinstance(document, str | dict):
        return document
    raise ValueError("expected a text, or an object with a text")


AnyDocument = Annotated[str | dict[str, JsonValue], BeforeValidator(_check)]
Count = Annotated[int, Field(ge=1)]


class Extended(BaseModel):
    """What every dialect has, and our own additions.

    `explain` adds the reasoning and the flaws of every window to the answer; `recipe` names another
    way of asking, `depth` how many documents are read by the model (the others follow).
    """

    model_config = ConfigDict(allow_inf_nan=False)

    query: str
    explain: bool = False
    recipe: str | None = None
    depth: Count | None = None

    def texts(self) -> Sequence[str]:
        """Return the documents' texts, in their order; raise `Refusal` for one without."""
        raise NotImplementedError

    def job(self) -> Job:
        """Return what is to be done."""
        passages = [Passage(str(place), text) for place, text in enumerate(self.texts())]
        return Job(self.query, passages, self.recipe, self.depth)

    def answer(self, done: Done, model: str, version: str) -> BaseModel:
        """Return the answer; `version` is that of the path, 1 or 2."""
        raise NotImplementedError


class Common(Extended):
    """The body of Cohere and Jina; numbers about tokens and priority are read over."""

    model: str = ""
    documents: list[AnyDocument]
    top_n: Count | None = None
    return_documents: bool | None = None
    rank_fields: list[str] | None = None

    def texts(self) -> Sequence[str]:
        """Return strings as they are, and of objects the `rank_fields`, or `text`."""
        fields = self.rank_fields or ["text"]
        return [_text(place, each, fields) for place, each in enumerate(self.documents)]

    def answer(self, done: Done, model: str, version: str) -> CommonAnswer:
        """Return the answer with the documents if they were wanted."""
        results = [
            Ranked(
                index=index,
                relevance_score=score,
                **_only(self.return_documents, document=_document(self.documents[index])),
            )
            for index, score in _best(done, self.top_n)
        ]
        tokens = Tokens(input_tokens=done.prompt_tokens, output_tokens=done.completion_tokens)
        return CommonAnswer(
            object="list",
            id=str(uuid.uuid4()),
            model=model,
            results=results,
            usage=_usage(done),
            meta=Meta(api_version={"version": version}, tokens=tokens),
            scores="rank" if done.by_rank else "method",
            **_only(self.explain, windows=windows(done.traces)),
        )


class Voyage(Extended):
    """The body of Voyage; texts are cut as the recipe says, whatever `truncation` is."""

    model: str = ""
    documents: list[str]
    top_k: Count | None = None
    return_documents: bool = False
    truncation: bool | None = None

    def texts(self) -> Sequence[str]:
        """Return the documents."""
        return self.documents

    def answer(self, done: Done, model: str, version: str) -> VoyageAnswer:
        """Return the answer with the documents if they were wanted."""
        found = [
            VoyageRanked(
                index=index,
                relevance_score=score,
                **_only(self.return_documents, document=self.documents[index]),
            )
            for index, score in _best(done, self.top_k)
        ]
        return VoyageAnswer(
            object="list",
            data=found,
            model=model,
            usage=_usage(done),
            scores="rank" if done.by_rank else "method",
            **_only(self.explain, windows=windows(done.traces)),
        )


class Tei(Extended):
    """The body of text-embeddings-inference; its answer is a bare list, one for each text."""

    texts_: list[str] = Field(alias="texts")
    return_text: bool = False
    raw_scores: bool = False
    truncate: bool | None = None

    def texts(self) -> Sequence[str]:
        """Return the texts."""
        return self.texts_

    def answer(self, done: Done, model: str, version: str) -> TeiAnswer:
        """Return the list; `explain` puts each window's account beside the first of them."""
        ranked = [
            TeiRanked(index=index, score=score, **_only(self.return_text, text=self.texts_[index]))
            for index, score in _best(done, None)
        ]
        if self.explain:
            ranked[0].windows = windows(done.traces)
        return TeiAnswer(ranked)


def _which(body: Any) -> str:
    if not isinstance(body, Mapping):
        return "common"
    if "texts" in body:
        return "tei"
    return "voyage" if {"top_k", "truncation"} & set(body) else "common"


_Any = Annotated[
    Annotated[Common, Tag("common")]
    | Annotated[Voyage, Tag("voyage")]
    | Annotated[Tei, Tag("tei")],
    Discriminator(_which),
]


class Body(RootModel[_Any]):
    """A body in any dialect, told by its fields."""


def _text(place: int, document: str | Mapping[str, Any], fields: Sequence[str]) -> str:
    if isinstance(document, str):
        return document
    found = [document[name] for name in fields if document.get(name) is not None]
    texts = [str(value) for value in found if isinstance(value, str | int | float)]
    if not texts or len(texts) < len(found):
        names = ", ".join(fields)
        raise unread(f"documents.{place}: expected a text, or an object with one in {names}")
    return "\n".join(texts)


def _document(document: str | dict[str, Any]) -> dict[str, Any]:
    return {"text": document} if isinstance(document, str) else document


def _only(wanted: bool | None, **fields: Any) -> dict[str, Any]:
    """Return fields that were asked for; what is never set is left out of the answer."""
    return fields if wanted else {}


def _best(done: Done, most: int | None) -> list[tuple[int, float]]:
    return list(zip(done.order, done.scores, strict=True))[:most]


def _usage(done: Done) -> Usage:
    total = done.prompt_tokens + done.completion_tokens
    return Usage(total_tokens=total, prompt_tokens=done.prompt_tokens)
