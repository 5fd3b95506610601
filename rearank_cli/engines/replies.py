"""What a server's reply is: an answer, a reason to try again, or an error."""

import math
import re
from collections.abc import Mapping
from typing import Any

import httpx

from rearank_cli.engines.base import ANSWERED
from rearank_cli.engines.dialects import OPTIONAL
from rearank_cli.engines.refusals import refusal
from rearank_cli.engines.server_scores import with_scores
from rearank_cli.errors import EngineError
from rearank_cli.records import Completion, Request

RETRIED = {408, 409, 425, 429, *range(500, 600)}
# No server makes us wait longer than this, in seconds.
LONGEST_WAIT = 30.0
# Ends of an answer that the prompt brings about, so that more tries seldom help.
DELIBERATE = frozenset(("content_filter", "tool_calls", "function_call"))


class Retry(Exception):
    """This try failed, another one may not.

    `cause` is a word for counting; `wait` is the pause the server asked for, if any; `sick` says
    that the server is not well, `ended` how it ended an answer that is none.
    """

    def __init__(
        self, text: str, cause: str, wait: float = 0.0, sick: bool = True, ended: str = ""
    ) -> None:
        super().__init__(text)
        self.cause = cause
        self.wait = wait
        self.sick = sick
        self.ended = ended


def completion(url: str, reply: httpx.Response, request: Request) -> Completion:
    """Return the answer in a reply to a request, with the log-probabilities that it wanted.

    Raises `Retry`, or `EngineError` for what no repetition changes. Only an answer that the model
    ended, or that its length ended, is one: everything else is a fragment.
    """
    check_status(url, reply, request.sampling.max_tokens)
    try:
        found = _completion(reply.json())
        if found.finish_reason in ANSWERED:
            found = with_scores(found, reply.json()["choices"][0], request)
            check_grammar(found, request)
    except EngineError as error:
        raise EngineError(f"{url}: {error.message}", error.hint) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        text = f"{url}: expected a chat completion, found other data"
        raise Retry(text, "no completion") from error
    ended = found.finish_reason
    if ended not in ANSWERED:
        text = f"{url}: the answer ended with {ended or 'no finish_reason'}"
        raise Retry(text, ended or "no finish_reason", 0.0, ended not in DELIBERATE, ended)
    return found


def check_status(url: str, reply: httpx.Response, max_tokens: int) -> None:
    """Raise `Retry` or `EngineError` for a reply that is no answer, by its status.

    `max_tokens` is the room that was asked for the answer.
    """
    if reply.status_code in RETRIED:
        raise Retry(
            f"{url}: {reply.status_code} {reply.reason_phrase}",
            str(reply.status_code),
            wait=_retry_after(reply),
            sick=reply.status_code != 429,
        )
    if reply.status_code != 200:
        raise refusal(url, reply, max_tokens, OPTIONAL)


def _completion(data: Mapping[str, Any]) -> Completion:
    choice = data["choices"][0]
    # A completion of a plain text has its text where that of a chat has a message.
    message = choice["message"] if "message" in choice else {"content": choice["text"]}
    usage = data.get("usage") or {}
    return Completion(
        text=message.get("content") or "",
        reasoning=message.get("reasoning_content") or message.get("reasoning") or "",
        finish_reason=str(choice.get("finish_reason") or ""),
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
    )


def check_grammar(found: Completion, request: Request) -> None:
    """Raise `EngineError` where a server has not kept to a grammar: most ignore the field."""
    said = found.reasoning + found.text
    kept = request.grammar is None or re.fullmatch(request.grammar.regex, said)
    if found.finish_reason == "stop" and not kept:
        raise EngineError(
            "the server does not keep an answer to its form",
            hint="take a vLLM server, or the model in this process, or leave out `force_format`",
        )


def _retry_after(reply: httpx.Response) -> float:
    try:
        wait = float(reply.headers.get("retry-after", "0"))
    except ValueError:
        return 0.0
    return 0.0 if math.isnan(wait) else min(max(wait, 0.0), LONGEST_WAIT)
