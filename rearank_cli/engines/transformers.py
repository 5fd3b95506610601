"""transformers in this process: no start to wait for, and likelihoods that are fast on a CPU."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rearank_cli.engines.base import OPERATIONAL, Ability, EngineSettings
from rearank_cli.engines.splitting import read_request
from rearank_cli.engines.waiting import Job, together
from rearank_cli.engines.weights import fetch_weights
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.records import Completion, Request, TokenScore

# Requests that come at the same moment are answered together.
GATHER_SECONDS = 0.01
# Answers in one pass of generation.
GENERATED = 16
# Requests for continuations that may wait: of these, all for the same prompt are done at once.
WAITING = 4096
_DTYPES = ("float32", "bfloat16", "float16")
_KNOWN = frozenset(("dtype", "max_model_len"))


class TransformersEngine:
    """An `Engine` on transformers; the model computes in a thread of its own.

    `capacity` is large until a request wants an answer written: continuations are cheap to hold,
    and the more are known, the more is shared between them.
    """

    kv_tokens = 0
    most_choices = 0
    abilities: frozenset[Ability] = frozenset(
        ("chat", "text", "choices", "continuation", "prefill")
    )

    def __init__(self, settings: EngineSettings, generated: int = GENERATED) -> None:
        """Remember what to load; nothing is imported before `open`.

        `generated` is how many answers are written at once.
        """
        self._generated = generated
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transformers")
        self._model: Any = None
        self._tokenizer: Any = None
        self._scorer: Any = None
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._context = 0
        self.reserved: Sequence[str] = settings.model.reserved
        self.capacity = WAITING
        unknown = sorted(settings.engine_args.keys() - _KNOWN - OPERATIONAL)
        if unknown:
            raise RearankError(
                f"`engine_args` {unknown[0]}: transformers has no such argument",
                hint=f"it takes {', '.join(sorted(_KNOWN))}; `engine_name=vllm` takes vLLM's own",
            )

    def identity(self) -> Mapping[str, Any]:
        """Return what answers depend on beside the request."""
        return self._settings.identity()

    async def open(self) -> None:
        """Load the model; raise `EngineError` when that fails."""
        self._settings.tell(f"loading {self._settings.model.name}")
        loop = asyncio.get_running_loop()
        model, tokenizer = await loop.run_in_executor(self._thread, self._load)
        self._settings.tell("engine ready")
        limit = self._settings.engine_args.get("max_model_len")
        self._begin(model, tokenizer, int(limit) if limit else None)

    def _load(self) -> tuple[Any, Any]:
        # Threads that wait for each other actively take the cores from those that compute, as soon
        # as anything else runs. Read when torch is imported; what the user has set wins.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError as error:
            raise EngineStartError(
                f"transformers cannot be imported: {error}",
                hint="pip install torch transformers",
                exit_code=2,
            ) from error
        wanted = self._settings.engine_args.get("dtype", "auto")
        if wanted not in (*_DTYPES, "auto"):
            raise EngineStartError(
                f"expected a dtype out of {', '.join(_DTYPES)}, found {wanted}", exit_code=2
            )
        # Fetched by us, the weights of a hub model are seen to arrive.
        location = fetch_weights(
            self._settings.model, self._settings.engine_args, self._settings.tell
        )
        try:
            with _no_bars():
                return self._loaded(location, wanted)
        except (OSError, ValueError, RuntimeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise EngineStartError(f"{location}: cannot be loaded: {lines[0]}") from error

    def _loaded(self, location: str, dtype: str) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(location)
        model = AutoModelForCausalLM.from_pretrained(location, dtype=dtype)
        if self._settings.adapter:
            # It is added in float32, so that rounding its sum is all that is lost.
            chosen = model.dtype
            model = self._merged(model.float()).to(chosen)
            # As it was loaded. With weights that need no gradients torch multiplies the last token
            # of each text by a copy of the head of its own, which takes as long as all the rest.
            model.requires_grad_(True)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return model.to(device).eval(), tokenizer

    def _merged(self, model: Any) -> Any:
        try:
            from peft import PeftModel
        except ImportError as error:
            raise EngineStartError(
                f"an adapter needs peft, which cannot be imported: {error}",
                hint="pip install peft, or say `adapter=none`",
                exit_code=2,
            ) from error
        assert self._settings.adapter is not None, "asked for with an adapter only"
        folder = Path(self._settings.adapter.location)
        return PeftModel.from_pretrained(model, folder).merge_and_unload()

    def _begin(self, model: Any, tokenizer: Any, limit: int | None = None) -> None:
        """Take requests for a loaded model from now on."""
        from rearank_cli.engines.continuations import Continuations

        self._model, self._tokenizer = model, tokenizer
        self._context = limit or int(model.config.get_text_config().max_position_embeddings)
        self._scorer = Continuations(model)
        self._queue = asyncio.Queue()
        self._worker = asyncio.create_task(self._work())

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raise `PromptTooLong` for one that leaves no room."""
        asked = read_request(self._tokenizer, request)
        room = asked.room(self._context, request.sampling.max_tokens)
        if len(asked.ids) > room:
            raise PromptTooLong(len(asked.ids), room)
        if asked.split is None:
            self.capacity = self._generated
        job = Job(request, asked, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(job)
        return await job.answer

    async def _work(self) -> None:
        waiting: list[Job] = []
        while True:
            if not waiting:
                waiting.append(await self._queue.get())
                await asyncio.sleep(GATHER_SECONDS)
            while not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            batch = together(waiting, self._generated)
            taken = set(map(id, batch))
            waiting = [job for job in waiting if id(job) not in taken]
            await self._settle(batch)

    async def _settle(self, batch: Sequence[Job]) -> None:
        """Answer some requests, or tell all who wait for them what went wrong."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._answer, batch)
        except Exception as error:  # noqa: BLE001  whatever it is, nobody must wait for ever
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(_failure(error))
            return
        for job, completion in zip(batch, found, strict=True):
            if not job.answer.done():
                job.answer.set_result(completion)

    def _answer(self, batch: Sequence[Job]) -> list[Completion]:
        began = time.perf_counter()
        found = self._score(batch) if batch[0].scored else self._generate(batch)
        share = (time.perf_counter() - began) / len(batch)
        return [replace(completion, seconds=share) for completion in found]

    def _score(self, batch: Sequence[Job]) -> list[Completion]:
        from rearank_cli.engines.continuations import Pair

        asked = [job.asked for job in batch]
        pairs = [Pair(each.prompt, each.ids[len(each.prompt) :]) for each in asked]
        return [
            Completion(
                text="",
                prompt_tokens=len(each.ids),
                tokens=tuple(map(TokenScore, each.split.texts if each.split else (), scores)),
            )
            for each, scores in zip(asked, self._scorer.logprobs(pairs), strict=True)
        ]

    def _generate(self, batch: Sequence[Job]) -> list[Completion]:
        from rearank_cli.engines.generation import generate

        choices = [dict(job.asked.choices) for job in batch]
        found: list[Completion] = generate(
            self._model,
            self._tokenizer,
            [job.asked.ids for job in batch],
            batch[0].request.sampling,
            choices if any(choices) else (),
        )
        return found

    async def close(self) -> None:
        """Let go of the model."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
        self._model = self._scorer = None
        self._thread.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers from drawing bars; a library does not write to the terminal."""
    from transformers.utils import logging

    drawn = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            logging.enable_progress_bar()


def _failure(error: Exception) -> RearankError:
    if isinstance(error, RearankError):
        return error
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return EngineError(f"the model failed: {lines[0]}")
