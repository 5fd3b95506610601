"""The log-probabilities in what vLLM returns."""

from dataclasses import replace
from typing import Any

from rearank_cli.engines.splitting import Asked
from rearank_cli.errors import EngineError
from rearank_cli.records import Completion, TokenScore


def with_scores(completion: Completion, output: Any, asked: Asked) -> Completion:
    """Return the completion with the log-probabilities that were asked for.

    vLLM gives them before temperature and penalties, unless `logprobs_mode` says otherwise.
    Raises `EngineError` where it has left one out.
    """
    try:
        if asked.split:
            start = asked.split.start
            rows = zip(asked.ids[start:], output.prompt_logprobs[start:], strict=True)
            scores = [float(row[token].logprob) for token, row in rows]
            tokens = tuple(map(TokenScore, asked.split.texts, scores))
            return replace(
                completion, text="", finish_reason="stop", completion_tokens=0, tokens=tokens
            )
        if asked.choices:
            row = output.outputs[0].logprobs[0]
            found = {name: float(row[token].logprob) for name, token in asked.choices.items()}
            return replace(completion, choices=found)
    except (LookupError, TypeError, ValueError) as error:
        raise EngineError("vLLM left out log-probabilities that it was asked for") from error
    return completion
