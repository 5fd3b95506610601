"""vLLM in this process: one model, continuous batching, all windows in flight at once."""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from rearank_cli.engines.base import WRITING, Ability, EngineSettings, Heard
from rearank_cli.engines.environment import engine_defaults
from rearank_cli.engines.guard import Guard
from rearank_cli.engines.machine import has_gpu, this_machine
from rearank_cli.engines.prepare import prepare, taken_meanwhile
from rearank_cli.engines.splitting import Asked, read_request
from rearank_cli.engines.vllm_outputs import in_pieces, last, told
from rearank_cli.engines.vllm_scores import with_scores
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong
from rearank_cli.records import Completion, Request

# Sequences in one batch, as long as the engine has not said how many it takes.
GPU_SEQUENCES = 256
CPU_SEQUENCES = 128


def check_no_java() -> None:
    """Raise `EngineStartError` where Java runs in this process: the two end each other."""
    java = sys.modules.get("jnius_config")
    if java is not None and java.vm_running:
        raise EngineStartError(
            "Java runs in this process, and vLLM must not join it",
            hint="retrieve in a process of its own, with `rearank retrieve`, or use a server",
            exit_code=2,
        )


# Tokens whose log-probabilities vLLM can tell by their ids.
MOST_CHOICES = 128


class VllmEngine:
    """An `Engine` on vLLM's AsyncLLM.

    What `capacity` and `kv_tokens` say is vLLM's own once the engine is open, all data-parallel
    ranks together; before, the one is a guess and the other 0. `start_seconds` is how long the
    start took, 0 before it; no `Completion` counts it.
    """

    def __init__(self, settings: EngineSettings) -> None:
        """Remember what to start; nothing is imported before `open`."""
        self._settings = settings
        self._numbers = itertools.count(1)
        # Rendering and tokenising 20 passages takes milliseconds; beside the event loop, the
        # loop goes on draining the engine.
        self._encoders = ThreadPoolExecutor(2, thread_name_prefix="encode")
        self._guard: Guard | None = None
        self._llm: Any = None
        self._lora: Any = None
        self._broken = False
        self._abandoned = False
        self._context = self._flying = 0
        self.start_seconds = 0.0
        self.reserved: Sequence[str] = settings.model.reserved
        self.most_choices = MOST_CHOICES
        self.abilities: frozenset[Ability] = WRITING
        self.kv_tokens = 0
        wanted = settings.engine_args.get("max_num_seqs")
        ranks = int(settings.engine_args.get("data_parallel_size") or 1)
        self.capacity = ranks * int(wanted or (GPU_SEQUENCES if has_gpu() else CPU_SEQUENCES))

    @property
    def dead(self) -> bool:
        """Whether vLLM has died since it was opened; it does not come back."""
        return self._llm is not None and bool(self._llm.errored)

    def identity(self) -> Mapping[str, Any]:
        """Return what answers depend on beside the request."""
        return self._settings.identity()

    async def open(self) -> None:
        """Start vLLM; raise `EngineError` when it does not start."""
        began = time.perf_counter()
        self._settings.log.begin()
        self._guard = guard = Guard()

        def start() -> Any:
            with guard.marking():
                return self._start()

        # In a thread, so that the loop can draw a spinner and hear Ctrl-C meanwhile.
        starting = asyncio.get_running_loop().run_in_executor(self._encoders, start)
        try:
            self._llm = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await self._abandon(starting, guard)
            raise
        self.start_seconds = time.perf_counter() - began
        self._settings.tell(f"engine ready after {self.start_seconds:.0f} s")
        config = self._llm.vllm_config
        self._context = int(config.model_config.max_model_len)
        ranks = int(config.parallel_config.data_parallel_size)
        self.capacity = int(config.scheduler_config.max_num_seqs) * ranks
        self.kv_tokens = kv_tokens(config.cache_config, ranks)

    async def _abandon(self, starting: "asyncio.Future[Any]", guard: Guard) -> None:
        """End a start that nobody waits for any more, whatever it is doing.

        A second Ctrl-C does not hurry it: the thread that imports vLLM cannot be stopped, and the
        processes that it has yet to start would be left.
        """
        self._abandoned = True
        while not starting.done():
            guard.clear()  # without its processes, the start fails and the thread ends
            with suppress(asyncio.CancelledError):
                await asyncio.wait([starting], timeout=0.1)
        if not starting.cancelled() and not starting.exception():
            self._llm = starting.result()
        self._broken = False  # it did not fail: its log is of no use
        guard.end()

    def _start(self) -> Any:
        check_no_java()
        location = prepare(self._settings)
        self._settings.tell("importing vLLM")
        try:
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.lora.request import LoRARequest
            from vllm.platforms import current_platform
            from vllm.usage.usage_lib import UsageContext
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise EngineStartError(
                f"vLLM cannot be imported: {error}",
                hint="pip install 'rearank-cli[gpu]', or 'rearank-cli[cpu]' without a GPU",
                exit_code=2,
            ) from error
        self._settings.tell(f"starting vLLM with {self._settings.model.name}")
        arguments: dict[str, Any] = {
            "model": location,
            "enforce_eager": bool(current_platform.is_cpu()),  # compiling takes minutes there
            "enable_prefix_caching": True,
            "seed": 0,
            "enable_lora": self._settings.adapter is not None,
            **engine_defaults(this_machine(), self._settings.engine_args),
            **self._settings.engine_args,
        }
        try:
            # In this context vLLM takes batches for throughput, as its class `LLM` does.
            config = AsyncEngineArgs(**arguments).create_engine_config(UsageContext.LLM_CLASS)
            if self._abandoned:
                return None
            llm = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
        except TypeError as error:
            raise EngineStartError(f"`engine_args`: {error}", exit_code=2) from error
        except Exception as error:  # noqa: BLE001  vLLM raises anything; none of it is our bug
            message, hint = self._failure("vLLM did not start", error)
            if self._guard:  # what its processes still hold is not to be taken for another's
                self._guard.clear()
            if problem := taken_meanwhile(self._settings.engine_args):
                message, hint = f"vLLM did not start: {problem.what}", problem.remedy
            raise EngineStartError(message, hint) from error
        if self._settings.adapter:
            self._lora = LoRARequest("adapter", 1, self._settings.adapter.location)
        return llm

    def _failure(self, what: str, error: BaseException) -> tuple[str, str]:
        """Return the message and the hint for what went wrong inside vLLM; keep its log."""
        self._broken = True
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return f"{what}: {lines[0]}", self._settings.log.advice()

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raise `PromptTooLong` before vLLM sees one that is."""
        return await self._complete(request, None)

    async def stream(self, request: Request, heard: Heard) -> Completion:
        """Do the same, and tell `heard` of it meanwhile; see `Streaming`."""
        return await self._complete(request, heard)

    async def _complete(self, request: Request, heard: Heard | None) -> Completion:
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError

        loop = asyncio.get_running_loop()
        asked = await loop.run_in_executor(self._encoders, self.asked, request)
        room = asked.room(self._context, request.sampling.max_tokens)
        if room < 1:
            raise EngineStartError(
                f"expected max_tokens below the model's context of {self._context} tokens, "
                f"found {request.sampling.max_tokens}",
                exit_code=2,
            )
        if len(asked.ids) > room:
            raise PromptTooLong(len(asked.ids), room)
        name = f"rearank-{os.getpid()}-{next(self._numbers)}"
        parameters = self.parameters(request, asked)
        if heard is not None:
            parameters = in_pieces(parameters, self._flying)
        began = time.perf_counter()
        outputs = self._llm.generate(
            tokens_input(list(asked.ids)), parameters, name, lora_request=self._lora
        )
        self._flying += 1
        try:
            async with aclosing(outputs):
                found, output = await (last(outputs) if heard is None else told(outputs, heard))
            return with_scores(replace(found, seconds=time.perf_counter() - began), output, asked)
        except EngineError:
            raise
        except EngineDeadError as error:
            raise EngineError(*self._failure("the engine died", error)) from error
        except Exception as error:  # noqa: BLE001  the request's own fault, whatever its type
            raise EngineError(*self._failure("the engine refused the prompt", error)) from error
        finally:
            self._flying -= 1

    def parameters(self, request: Request, asked: Asked) -> Any:
        """Return vLLM's sampling parameters for a request and its tokens."""
        from vllm.sampling_params import (
            RequestOutputKind,
            SamplingParams,
            StructuredOutputsParams,
        )

        sampling, grammar = request.sampling, request.grammar
        if asked.split:
            # Something is always written; it is thrown away.
            return SamplingParams(
                temperature=0.0,
                max_tokens=1,
                prompt_logprobs=0,
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
        return SamplingParams(
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            seed=sampling.seed if sampling.temperature else None,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            repetition_penalty=sampling.repetition_penalty,
            logprob_token_ids=list(asked.choices.values()) or None,
            structured_outputs=StructuredOutputsParams(regex=grammar.regex) if grammar else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def asked(self, request: Request) -> Asked:
        """Return the tokens of a request."""
        return read_request(self._llm.tokenizer, request)

    async def close(self) -> None:
        """Stop vLLM and see to it that none of its processes is left."""
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown()
        if self._guard:
            self._guard.end()
        if not self._broken:
            self._settings.log.forget()
        self._encoders.shutdown(wait=False)


def kv_tokens(cache: Any, ranks: int) -> int:
    """Return how many tokens' keys and values fit an engine of so many ranks; 0 if it is unknown.

    With several kinds of attention a token needs blocks of each kind; newer versions of vLLM count
    that, for one rank. The number of blocks is that of all ranks together.
    """
    each = getattr(cache, "kv_cache_size_tokens", None)
    if each:
        return int(each) * ranks
    return int(cache.num_gpu_blocks or 0) * int(cache.block_size or 0)
