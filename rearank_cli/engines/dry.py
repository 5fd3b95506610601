"""What a reranking would take, found out without a model: for `rerank --dry-run` alone."""

from collections.abc import Sequence
from dataclasses import replace

from rearank_cli.engines.base import EngineSettings
from rearank_cli.engines.cached import CachedEngine
from rearank_cli.engines.tokens import PromptTokens
from rearank_cli.errors import PromptTooLong
from rearank_cli.records import Completion, Prompt


class DryEngine:
    """Answers from the cache where it can, and else with nothing, which keeps the old order.

    Counts `calls`, those that are `known` to the cache, and the `prompt_tokens` of the others; a
    server does not tell its tokenizer, and then they are 0.
    """

    capacity = 1

    def __init__(self, settings: EngineSettings, cache: CachedEngine | None) -> None:
        """Load the tokenizer of a model in this process."""
        self.calls = self.known = self.prompt_tokens = 0
        self.reserved: Sequence[str] = settings.model.reserved
        self._cache = cache
        self._answer = settings.sampling.max_tokens
        self.tokens: PromptTokens | None = None
        if settings.model.location:
            self.tokens = PromptTokens(settings.model, settings.chat_template)
            limit = settings.engine_args.get("max_model_len")
            self._context = int(limit or self.tokens.context)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def generate(self, prompt: Prompt) -> Completion:
        """Count a prompt; raise `PromptTooLong` where the model would."""
        known = self._cache.known(prompt) if self._cache else None
        tokens = self.tokens.count(prompt) if self.tokens else 0
        room = self._context - self._answer if self.tokens else 0
        if tokens > room:
            raise PromptTooLong(tokens, max(room, 0))
        self.calls += 1
        if known:
            self.known += 1
            return replace(known, cached=True)
        self.prompt_tokens += tokens
        return Completion("")
