"""The body of a request to a server, in the dialects of OpenAI's chat completions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from rearank_cli.engines.server_scores import score_fields
from rearank_cli.errors import EngineStartError
from rearank_cli.records import Request, Sampling

# Fields that a request can do without; servers refuse some of them.
OPTIONAL = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "chat_template_kwargs",
    "max_completion_tokens",
    "max_tokens",
)
_OPENAI = "api.openai.com"


def is_openai(url: str) -> bool:
    """Tell whether a URL is OpenAI's own API, which refuses fields that it does not know."""
    return urlsplit(url).hostname == _OPENAI


@dataclass(frozen=True)
class Dialect:
    """How the servers want their requests for a model.

    `extra` are fields that the user sets in every request; those that are None are left out.
    """

    model: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    def body(self, url: str, request: Request) -> dict[str, Any]:
        """Return the body of a request to a server.

        All of the sampling is said: what a request leaves open is set by a server from the
        model's generation config or from its own defaults, and not as in this process. Raises
        `EngineStartError` for sampling that OpenAI's own API does not know, and for
        log-probabilities that no server tells.
        """
        body: dict[str, Any] = {"model": self.model}
        if isinstance(request.prompt, str):
            body["prompt"] = request.prompt + request.prefill + request.continuation
        else:
            body["messages"] = [message._asdict() for message in request.prompt]
            if request.prefill:
                # vLLM's and SGLang's: the last turn stays open.
                body["messages"].append({"role": "assistant", "content": request.prefill})
                body |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.grammar:
            body["structured_outputs"] = {"regex": request.grammar.regex}  # vLLM's
        if is_openai(url):
            body |= _openai(request.sampling)
        else:
            body |= _open(request.sampling)
            if request.chat_template and not isinstance(request.prompt, str):
                body["chat_template_kwargs"] = dict(request.chat_template)
        body |= score_fields(request)
        return {name: value for name, value in {**body, **self.extra}.items() if value is not None}


def _openai(sampling: Sampling) -> dict[str, Any]:
    for name, neutral in (("top_k", 0), ("min_p", 0.0), ("repetition_penalty", 1.0)):
        if getattr(sampling, name) != neutral:
            raise EngineStartError(f"{_OPENAI} knows no {name}", exit_code=2)
    return {
        "temperature": sampling.temperature,
        # Its newer models refuse max_tokens.
        "max_completion_tokens": sampling.max_tokens,
        "top_p": sampling.top_p if sampling.top_p != 1 else None,
        "seed": sampling.seed if sampling.temperature else None,
    }


def _open(sampling: Sampling) -> dict[str, Any]:
    return {
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "top_p": sampling.top_p,
        # Every server takes -1 for all tokens; SGLang refuses 0.
        "top_k": sampling.top_k or -1,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": sampling.seed if sampling.temperature else None,
    }
