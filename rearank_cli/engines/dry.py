"""What a reranking would take, found out without a model: for `rerank --dry-run` alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from rearank_cli.engines.base import Ability, Engine, EngineSettings
from rearank_cli.engines.cached import look_up
from rearank_cli.engines.store import Store
from rearank_cli.engines.tokens import PromptTokens
from rearank_cli.errors import PromptTooLong
from rearank_cli.records import Completion, Request


class DryEngine:
    """Answers from the cache where it can, and else with nothing, which is no finished answer.

    Counts the `prompt_tokens` of what is not known; a server does not tell its tokenizer, and then
    they are 0. It can what the `real` engine can, which is never opened; without one, everything.
    """

    capacity = 1
    kv_tokens = 0

    def __init__(
        self,
        settings: EngineSettings,
        store: Store | None,
        legacy: Mapping[str, Any] | None = None,
        real: Engine | None = None,
    ) -> None:
        """Load the tokenizer of a model in this process; without a store nothing is known.

        `legacy` is the engine's identity in stores of earlier versions.
        """
        self._identity = settings.identity()
        self._legacy = legacy
        self.prompt_tokens = 0
        everything: frozenset[Ability] = frozenset(get_args(Ability))
        self.abilities = real.abilities if real else everything
        self.most_choices = real.most_choices if real else 0
        self.reserved: Sequence[str] = settings.model.reserved
        self._store = store
        self.tokens: PromptTokens | None = None
        self._context = 0  # unknown, and then every prompt fits
        if settings.model.location:
            self.tokens = PromptTokens(settings.model)
            limit = settings.engine_args.get("max_model_len")
            self._context = int(limit or self.tokens.context)

    def identity(self) -> Mapping[str, Any]:
        """Return what the answers of the real engine depend on."""
        return self._identity

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def complete(self, request: Request) -> Completion:
        """Count a request; raise `PromptTooLong` where the model would."""
        known = self._known(request)
        tokens = self.tokens.count(request) if self.tokens else 0
        room = self._context - request.sampling.max_tokens
        if self._context and tokens > room:
            raise PromptTooLong(tokens, max(room, 0))
        if known:
            return replace(known, cached=True)
        self.prompt_tokens += tokens
        return Completion("", finish_reason="")

    def _known(self, request: Request) -> Completion | None:
        if self._store is None:
            return None
        return look_up(self._store, self._identity, self._legacy, request)[0]
