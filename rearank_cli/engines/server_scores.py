"""Log-probabilities over HTTP: which fields ask for them, and where replies have them.

Those of a first token come with chat completions (`top_logprobs`) and completions (`logprobs`).
Those of a continuation come from completions that echo their prompt, as vLLM's and others do;
OpenAI's own API does so no longer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rearank_cli.errors import EngineError, EngineStartError, RearankError
from rearank_cli.records import Completion, Request, TokenScore

# The most that OpenAI's API tells of one token, and vLLM's servers unless they are told otherwise.
MOST_CHOICES = 20


def path(request: Request) -> str:
    """Return where a request goes, behind the base URL."""
    plain = isinstance(request.prompt, str)
    return "/completions" if plain else "/chat/completions"


def score_fields(request: Request) -> dict[str, Any]:
    """Return the fields that ask for a request's log-probabilities.

    Raises `EngineStartError` for what no server tells.
    """
    if request.continuation:
        if not isinstance(request.prompt, str):
            raise EngineStartError(
                "a server scores a continuation of a plain text, not of a chat",
                hint="take a recipe with the field 'text', or run the model in this process",
                exit_code=2,
            )
        # Something is always written; it is thrown away.
        return {"echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0.0, "seed": None}
    if len(request.choices) > MOST_CHOICES:
        raise EngineStartError(
            f"a server tells the log-probabilities of {MOST_CHOICES} tokens, "
            f"not of {len(request.choices)}",
            hint="make the window smaller, or run the model in this process",
            exit_code=2,
        )
    if not request.choices:
        return {}
    if isinstance(request.prompt, str):
        return {"logprobs": MOST_CHOICES}
    return {"logprobs": True, "top_logprobs": MOST_CHOICES}


def with_scores(found: Completion, choice: Mapping[str, Any], request: Request) -> Completion:
    """Return a completion with the log-probabilities in the reply's `choice`.

    Raises `RearankError` for a server that has not told them, and `LookupError`, `TypeError` or
    `ValueError` for a reply of another shape.
    """
    if not request.continuation and not request.choices:
        return found
    told = choice.get("logprobs")
    if not told:
        raise EngineError(
            "the server tells no log-probabilities",
            hint="take a server that does (vLLM), or a recipe that needs none",
        )
    if request.continuation:
        tokens = _continuation(told, request, found.completion_tokens)
        return replace(
            found, text="", finish_reason="stop", completion_tokens=0, tokens=tuple(tokens)
        )
    if isinstance(request.prompt, str):
        first = dict(told["top_logprobs"][0])
    else:
        first = {each["token"]: each["logprob"] for each in told["content"][0]["top_logprobs"]}
    return replace(found, choices=read_choices(first, request.choices))


def read_choices(told: Mapping[str, float], choices: Sequence[str]) -> dict[str, float]:
    """Return the log-probabilities of choices out of those of some first tokens.

    A choice is the token that is itself, the likeliest that differs in white space only, or the
    longest that it begins with. What is not among the tokens is less likely than all of them, and
    is left out. Raises `RearankError` for two choices that are one token.
    """
    found: dict[str, float] = {}
    owners: dict[str, str] = {}
    for choice in choices:
        same = [token for token in told if token == choice]
        same = same or sorted((t for t in told if t.strip() == choice), key=lambda t: -told[t])
        begun = [token for token in told if token.strip() and choice.startswith(token)]
        same = same or sorted(begun, key=len, reverse=True)
        if not same:
            continue
        other = owners.setdefault(same[0], choice)
        if other != choice:
            raise RearankError(
                f"the choices {other!r} and {choice!r} begin with the same token of this model",
                hint="take words or letters that differ in their first token",
            )
        found[choice] = float(told[same[0]])
    return found


def _continuation(told: Mapping[str, Any], request: Request, written: int) -> Sequence[TokenScore]:
    """Return the continuation's tokens out of those of an echoed prompt and what was written."""
    assert isinstance(request.prompt, str), "a plain text"
    end = len(told["tokens"]) - written
    tokens, scores = told["tokens"][:end], told["token_logprobs"][:end]
    # Counted from the end: in front there may be tokens that are no text.
    begin, place = end, len(request.continuation)
    while begin and place - len(tokens[begin - 1]) >= 0:
        begin -= 1
        place -= len(tokens[begin])
    if not 0 < begin < end or not request.continuation.endswith("".join(tokens[begin:])):
        raise EngineError(
            "the tokens that the server tells are not those of the text that it was sent",
            hint="run the model in this process",
        )
    return list(map(TokenScore, tokens[begin:], map(float, scores[begin:])))
