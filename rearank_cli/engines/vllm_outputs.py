"""What vLLM returns for a request: one output at the end, or pieces while it is written."""

from collections.abc import AsyncIterator
from typing import Any

from rearank_cli.engines.base import ANSWERED, ENOUGH, Heard
from rearank_cli.errors import EngineError
from rearank_cli.records import Completion

# vLLM's main process spends some 50 µs on every piece. With so many requests in flight for each
# token of a piece, that stays small beside the time of a step.
PER_TOKEN = 16


def in_pieces(parameters: Any, flying: int) -> Any:
    """Return sampling parameters for an answer that comes in pieces.

    The more requests are in flight, the longer the pieces, where this version of vLLM can do that.
    """
    from vllm.sampling_params import RequestOutputKind

    parameters.output_kind = RequestOutputKind.DELTA
    if hasattr(parameters, "stream_interval"):
        parameters.stream_interval = 1 + flying // PER_TOKEN
    return parameters


async def last(outputs: AsyncIterator[Any]) -> tuple[Completion, Any]:
    """Return the completion in the one output of a request, and that output."""
    final: Any = None
    async for output in outputs:
        final = output
    if final is None:
        raise EngineError("the engine gave no answer")
    answer = final.outputs[0]
    return _completion(final, answer.text, len(answer.token_ids), answer.finish_reason), final


async def told(outputs: AsyncIterator[Any], heard: Heard) -> tuple[Completion, Any]:
    """Put the pieces of an answer together and tell `heard` of them until it has enough."""
    text, tokens, final = "", 0, None
    async for output in outputs:
        piece = output.outputs[0]
        text += piece.text
        tokens += len(piece.token_ids)
        if piece.finish_reason is not None:
            final = output
            continue
        so_far = Completion(text, "", ENOUGH, len(output.prompt_token_ids), tokens)
        if piece.text and heard(so_far):
            return so_far, output
    if final is None:
        raise EngineError("the engine gave no answer")
    return _completion(final, text, tokens, final.outputs[0].finish_reason), final


def _completion(output: Any, text: str, tokens: int, finish_reason: str) -> Completion:
    if finish_reason not in ANSWERED:
        # A fragment: vLLM aborts requests when it shuts down.
        raise EngineError(f"the engine broke the answer off ({finish_reason})")
    return Completion(text, "", finish_reason, len(output.prompt_token_ids), tokens)
