"""What a server says when it refuses a request, in the words of several servers."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import httpx

from rearank_cli.errors import EngineError, PromptTooLong

# OpenAI, llama.cpp and vLLM name the error; the others, and older versions, only say it.
_TYPES = {"context_length_exceeded", "exceed_context_size_error", "input_tokens", "input_text"}
_TOO_LONG = re.compile(
    r"context length|context size|context window|maximum model length|maximum allowed length"
    r"|prompt is too long|maximum prompt length|must have less than \d+ tokens",
    re.IGNORECASE,
)
# The whole context, prompt and answer together, in tokens.
_CONTEXT = (
    r"context length (?:is|of) (\d+)",
    r"context length \((\d+)",
    r"context size \((\d+)",
    r"maximum model length of (\d+)",
    r"(\d+) maximum context length",
)
# The prompt alone …
_PROMPT = (
    r"\((\d+) in the (?:messages|prompt)",
    r"(\d+) tokens from the input",
    r"prompt contains (?:at least )?(\d+) (?:input )?tokens",
    r"messages resulted in (\d+)",
    r"input \((\d+) tokens",
    r"input length \((\d+) tokens",
    r"request \((\d+) tokens",
    r"prompt \(length (\d+)\)",
    r"prompt contains (\d+)",
    r"less than \d+ tokens\. given: (\d+)",
)
# … or with the room for its answer.
_TOTAL = (r"requested (?:a total of )?(\d+) tokens",)
# The longest prompt, where a server tells that instead of its context.
_LONGEST = (r"maximum allowed length \((\d+)", r"must have less than (\d+) tokens")


def refusal(
    url: str, reply: httpx.Response, max_tokens: int, optional: Collection[str]
) -> EngineError:
    """Return the error for an answer that no repetition changes.

    `PromptTooLong` gets the server's own numbers, or its words where it gives none; `max_tokens`
    is the room that was asked for the answer. `optional` are the fields of the request that can
    be left out.
    """
    error, message = _parts(reply)
    kinds = {str(error.get(name)) for name in ("code", "type", "param")}
    refused = reply.status_code in (400, 413, 422)
    if kinds & _TYPES or refused and _TOO_LONG.search(message):
        return too_long(message, error, max_tokens)
    named = next((name for name in optional if _names(name, message, error)), "")
    hint = f"`server_args` {named}= leaves {named} out of every request" if named else ""
    return EngineError(f"{url}: {reply.status_code}: {message[:300] or 'no message'}", hint)


def _parts(reply: httpx.Response) -> tuple[Mapping[str, Any], str]:
    """Return the fields and the message of a server's error, which is nested or flat."""
    try:
        data = reply.json()
    except ValueError:
        return {}, reply.text
    if isinstance(data, dict) and isinstance(data.get("error"), dict):
        data = data["error"]
    if not isinstance(data, dict):
        return {}, reply.text
    return data, str(data.get("message") or reply.text)


def _names(field: str, message: str, error: Mapping[str, Any]) -> bool:
    return error.get("param") == field or bool(re.search(rf"\b{field}\b", message))


def too_long(message: str, error: Mapping[str, Any], max_tokens: int) -> PromptTooLong:
    """Return the error for a prompt that a server found too long, from its words and fields."""
    context = _integer(error.get("n_ctx")) or _first(_CONTEXT, message)
    tokens = _integer(error.get("n_prompt_tokens")) or _first(_PROMPT, message)
    if not tokens:
        tokens = max(_first(_TOTAL, message) - max_tokens, 0)
    longest = _first(_LONGEST, message) or max(context - max_tokens, 0)
    if not longest:
        return PromptTooLong(0, 0, said=message[:300])
    # A prompt that fits alone was refused for the room that its answer needs.
    return PromptTooLong(tokens if tokens > longest else 0, longest, said=message[:300])


def _first(patterns: Collection[str], text: str) -> int:
    for pattern in patterns:
        if match := re.search(pattern, text, re.IGNORECASE):
            return int(match[1])
    return 0


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0
