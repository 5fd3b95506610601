"""The model under training as an `Engine`, so that our own reranker can validate it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.transformers import TransformersEngine
from rearank_cli.records import Completion, Request, Sampling


class PolicyEngine(TransformersEngine):
    """Completes prompts greedily, `batch` at a time, with a model that is there already.

    As with the other engines, nothing comes from the model's own generation config.
    """

    def __init__(self, model: Any, tokenizer: Any, max_tokens: int, batch: int) -> None:
        """Take a model as it is; every answer may have `max_tokens` tokens."""
        control = tuple(tokenizer.get_added_vocab())
        super().__init__(EngineSettings(Model("policy", reserved=control)), batch)
        self._policy = model
        self._tokenizer = tokenizer
        self._sampling = Sampling(max_tokens)

    def identity(self) -> Mapping[str, Any]:
        """Return nothing: the model changes all the time, and nothing is stored."""
        return {}

    async def open(self) -> None:
        """Put the model in evaluation mode."""
        self._was_training = self._policy.training
        self._policy.eval()
        self._begin(self._policy, self._tokenizer)

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raise `PromptTooLong` for one that leaves no room."""
        return await super().complete(replace(request, sampling=self._sampling))

    async def close(self) -> None:
        """Put the model back in the mode that it was in."""
        if self._worker is not None:
            self._policy.train(self._was_training)
        await super().close()
