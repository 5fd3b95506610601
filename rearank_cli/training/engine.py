"""The model under training as an `Engine`, so that our own reranker can validate it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch

from rearank_cli.engines.base import Ability
from rearank_cli.engines.tokens import encode
from rearank_cli.errors import PromptTooLong
from rearank_cli.records import Completion, Request
from rearank_cli.training.policy import plain_generation

# Prompts that the reranker hands over at the same moment are completed together.
_GATHER_SECONDS = 0.01


class PolicyEngine:
    """Completes prompts greedily, `batch` at a time, by transformers' own generation.

    As with the other engines, nothing comes from the model's own generation config.
    """

    kv_tokens = 0
    abilities: frozenset[Ability] = frozenset(("chat", "text"))
    most_choices = 0

    def __init__(self, model: Any, tokenizer: Any, max_tokens: int, batch: int) -> None:
        """Take a model as it is; every answer may have `max_tokens` tokens."""
        self._model = model
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._waiting: asyncio.Queue[tuple[list[int], asyncio.Future[Completion]]] | None = None
        self._worker: asyncio.Task[None] | None = None
        self.reserved: Sequence[str] = tuple(tokenizer.get_added_vocab())
        self.capacity = batch

    def identity(self) -> Mapping[str, Any]:
        """Return nothing: the model changes all the time, and nothing is stored."""
        return {}

    async def open(self) -> None:
        """Put the model in evaluation mode."""
        self._was_training = self._model.training
        self._model.eval()
        self._waiting = asyncio.Queue()
        self._worker = asyncio.create_task(self._work(self._waiting))

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raise `PromptTooLong` for one that leaves no room."""
        ids = encode(self._tokenizer, request)
        room = int(self._model.config.max_position_embeddings) - self._max_tokens
        if len(ids) > room:
            raise PromptTooLong(len(ids), room)
        assert self._waiting is not None, "the engine is open"
        answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        await self._waiting.put((ids, answer))
        return await answer

    async def _work(
        self, waiting: "asyncio.Queue[tuple[list[int], asyncio.Future[Completion]]]"
    ) -> None:
        while True:
            batch = [await waiting.get()]
            await asyncio.sleep(_GATHER_SECONDS)
            while len(batch) < self.capacity and not waiting.empty():
                batch.append(waiting.get_nowait())
            try:
                # Training stands still meanwhile, so there is nothing else for the loop to do.
                completions = self._complete([ids for ids, _ in batch])
            except (RuntimeError, ValueError) as error:
                for _, answer in batch:
                    answer.set_exception(error)
                continue
            for (_, answer), completion in zip(batch, completions, strict=True):
                if not answer.done():
                    answer.set_result(completion)

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed here
    def _complete(self, prompts: Sequence[list[int]]) -> list[Completion]:
        padded = self._tokenizer.pad(
            {"input_ids": list(prompts)}, padding_side="left", return_tensors="pt"
        ).to(self._model.device)
        with plain_generation(self._model):
            rows = self._model.generate(
                **padded,
                max_new_tokens=self._max_tokens,
                do_sample=False,
                pad_token_id=self._tokenizer.pad_token_id,
                use_cache=True,
            )
        length = padded["input_ids"].shape[1]
        return [
            self._completion(row[length:].tolist(), len(ids))
            for row, ids in zip(rows, prompts, strict=True)
        ]

    def _completion(self, row: list[int], prompt_tokens: int) -> Completion:
        ends = self._ends()
        stop = next((index for index, token in enumerate(row) if token in ends), None)
        said = row if stop is None else row[:stop]
        return Completion(
            text=self._tokenizer.decode(said, skip_special_tokens=True),
            finish_reason="length" if stop is None else "stop",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(said),
        )

    def _ends(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        found = set(ends) if isinstance(ends, list) else {ends}
        return (found | {self._tokenizer.eos_token_id}) - {None}

    async def close(self) -> None:
        """Put the model back in the mode that it was in."""
        if self._worker is not None:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker
            self._worker = None
            self._model.train(self._was_training)
