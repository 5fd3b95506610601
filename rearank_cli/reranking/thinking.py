"""Reasoning with an end: a thought of limited length, then an answer, perhaps of a given form.

What a model has written so far is given back to it as the beginning of its answer, with the end of
reasoning behind it, and it goes on from there. That is a request of its own: it has its own place
in the cache, and an engine that keeps prefixes computes no token twice. Every engine that can go on
from a beginning can do it, whether the end of reasoning is a token of the model's or plain text.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from rearank_cli.engines.base import ANSWERED, Heard
from rearank_cli.methods.answers.grammar import fits
from rearank_cli.methods.answers.reading import PARTS, thought
from rearank_cli.records import Completion, Request

Asking = Callable[[Request, Heard | None], Awaitable[Completion]]


async def complete(
    ask: Asking, request: Request, heard: Heard | None, closing: str, safe: Callable[[str], str]
) -> Completion:
    """Return the whole answer to a request, with what it was given to begin with.

    Where it has a longest thought, and the model is not done by then, the thought is closed with
    `closing` and the model goes on with what is left of its tokens; an answer that has begun goes
    on as it is. Where it has a grammar, an answer of another form is asked for again behind the
    thought, under the grammar. Without `closing` there is no reasoning, and one request is all.

    `ask` asks the engine, and `heard` hears what may be the answer while it is written: not one
    that may be asked for again, nor one without its beginning. `safe` breaks what must not stand in
    a prompt. Raises what the engine raises.
    """
    sampling, grammar = request.sampling, request.grammar
    if request.prefill or grammar and closing:
        heard, request = None, request.whole()
    if not closing:
        if grammar:
            request = replace(request, sampling=replace(sampling, max_tokens=grammar.room))
        return _whole(request, await ask(request, heard))
    budget = sampling.max_thinking_tokens or sampling.max_tokens
    drawn = replace(sampling, max_tokens=budget, max_thinking_tokens=0)
    found = await ask(replace(request, sampling=drawn, grammar=None), heard)
    whole = _whole(request, found)
    text = _one_text(whole)
    cut = sampling.max_thinking_tokens and found.finish_reason == "length"
    wanted = not fits(text, grammar) if grammar else cut
    if not wanted or found.finish_reason not in ANSWERED:
        return whole
    begun = _begun(text, closing, safe, keep=grammar is None)
    left = grammar.room if grammar else sampling.max_tokens - budget
    drawn = replace(sampling, max_tokens=left, max_thinking_tokens=0)
    rest = await ask(replace(request.whole(), prefill=begun, sampling=drawn), None)
    return replace(
        rest,
        text=begun + rest.reasoning + rest.text,
        reasoning="",
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens + rest.completion_tokens,
        seconds=found.seconds + rest.seconds,
        cached=found.cached and rest.cached,
    )


def _whole(request: Request, found: Completion) -> Completion:
    """Return a completion with what it was given to begin with; apart from it, reasoning has it."""
    if not request.prefill or found.reasoning:
        return found
    return replace(found, text=request.prefill + found.text)


def _one_text(found: Completion) -> str:
    """Return an answer as its model wrote it, where a server has taken the reasoning apart."""
    if not found.reasoning:
        return found.text
    opened = f"<think>\n{found.reasoning.strip()}"
    return f"{opened}\n</think>\n\n{found.text}" if found.text.strip() else opened


def _begun(text: str, closing: str, safe: Callable[[str], str], keep: bool) -> str:
    """Return how the answer begins: the thought and its end, or all of it to `keep`."""
    before, ended = thought(text)
    kept = text if keep and ended else before.rstrip() + closing
    parts = PARTS.split(kept)
    return "".join(part if place % 2 else safe(part) for place, part in enumerate(parts))
