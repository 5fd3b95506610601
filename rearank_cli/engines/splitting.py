"""Which tokens log-probabilities are wanted of; the same ones for every engine."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from rearank_cli.engines.tokens import encode, rendered
from rearank_cli.errors import EngineStartError, RearankError
from rearank_cli.records import Request


class Split(NamedTuple):
    """A prompt with its continuation: all tokens, where the continuation begins, its texts."""

    ids: tuple[int, ...]
    start: int
    texts: tuple[str, ...]


class Asked(NamedTuple):
    """A request as tokens: all of them, its continuation's, and those of its choices by name."""

    ids: tuple[int, ...]
    split: Split | None
    choices: Mapping[str, int]

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens before the continuation."""
        return self.ids[: self.split.start] if self.split else self.ids

    def room(self, context: int, max_tokens: int) -> int:
        """Return how many tokens may be given to a model of this context."""
        return context - (1 if self.split else max_tokens)


def read_request(tokenizer: Any, request: Request) -> Asked:
    """Return the tokens of a request; raise what `split` and `first_tokens` raise."""
    if request.continuation:
        found = split(tokenizer, request)
        return Asked(found.ids, found, {})
    choices = first_tokens(tokenizer, request.choices, request.prefill)
    return Asked(tuple(encode(tokenizer, request)), None, choices)


def split(tokenizer: Any, request: Request) -> Split:
    """Return the tokens of a request's prompt and continuation.

    Both are tokenised as one text, as the model has learned texts. The continuation's tokens are
    those whose text begins at or after the prompt's end; a token that reaches over it is the
    prompt's. Raises `RearankError` where either has no token, or the tokenizer cannot tell.
    """
    if not tokenizer.is_fast:
        raise EngineStartError(
            "the log-probabilities of a text need a tokenizer that tells where its tokens lie",
            hint="take a model that has a tokenizer.json",
            exit_code=2,
        )
    before = rendered(tokenizer, request)
    whole = before + request.continuation
    plain = isinstance(request.prompt, str)
    encoded = tokenizer(whole, add_special_tokens=plain, return_offsets_mapping=True)
    # What the tokenizer itself puts around a text has no width.
    places = [
        (token, begin, end)
        for token, (begin, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        if begin < end or begin < len(before)
    ]
    inside = (at for at, (_, begin, _) in enumerate(places) if begin >= len(before))
    start = next(inside, len(places))
    if not 0 < start < len(places):
        raise RearankError(
            "expected a prompt and a continuation with at least one token each, found "
            f"{before[-40:]!r} and {request.continuation[:40]!r}"
        )
    # A token may reach over the prompt's end; spaces before a token may be left out of its place.
    edges = [max(len(before), places[start - 1][2])]
    edges += [*(begin for _, begin, _ in places[start + 1 :]), len(whole)]
    texts = tuple(whole[begin:end] for begin, end in pairwise(edges))
    return Split(tuple(token for token, _, _ in places), start, texts)


def first_tokens(tokenizer: Any, choices: Sequence[str], before: str = "") -> dict[str, int]:
    """Return the first token of every choice, as it stands behind `before` at the beginning.

    Raises `RearankError` for a choice without a token of its own, and for two that begin with the
    same.
    """
    start = tokenizer(before, add_special_tokens=False)["input_ids"] if before else []
    found: dict[str, int] = {}
    owners: dict[int, str] = {}
    for choice in choices:
        ids = tokenizer(before + choice, add_special_tokens=False)["input_ids"]
        if len(ids) <= len(start) or ids[: len(start)] != start:
            behind = f" behind {before!r}" if before else ""
            raise RearankError(
                f"expected choices with at least one token{behind}, found {choice!r}"
            )
        first = ids[len(start)]
        other = owners.setdefault(first, choice)
        if other != choice:
            raise RearankError(
                f"the choices {other!r} and {choice!r} begin with the same token of this model",
                hint="take words or letters that differ in their first token",
            )
        found[choice] = first
    return found
