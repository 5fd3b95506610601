"""A command on vLLM that answers questions; its engine is forked, as it may be on a GPU.

Usage: forking.py MODEL COUNT TOKENS

The CPU build forces the start method `spawn` wherever a user asks for `fork`; here `spawn` itself
forks. Every process of the engine also prints something, as a library in it might. The answers go
to stdout, what the engine says of itself to stderr, as JSON.
"""

import json
import multiprocessing
import multiprocessing.process
import sys

from rearank_cli.cli import interrupt
from rearank_cli.cli.redirect import EngineOutput
from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.vllm import VllmEngine
from rearank_cli.records import Message, Request, Sampling

CHATTER = "printed by the engine"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def force_fork() -> None:
    """Make vLLM fork its processes, and make these talk."""
    get_context, run = multiprocessing.get_context, multiprocessing.process.BaseProcess.run

    def talk(process: multiprocessing.process.BaseProcess) -> None:
        say(CHATTER)
        sys.stdout.flush()
        run(process)

    multiprocessing.get_context = lambda method=None: get_context(  # type: ignore[assignment]
        "fork" if method == "spawn" else method
    )
    multiprocessing.process.BaseProcess.run = talk  # type: ignore[assignment,method-assign]


def tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def answer(engine: VllmEngine, count: int, tokens: int) -> None:
    try:
        guess = engine.capacity
        await engine.open()
        for number in range(1, count + 1):
            prompt = (Message("user", f"question {number}"),)
            said = await engine.complete(Request(prompt, Sampling(tokens)))
            say(f"answer {number}: {said.completion_tokens} tokens")
        tell(json.dumps([guess, engine.capacity, engine.kv_tokens, engine.start_seconds]))
    finally:
        await engine.close()


if __name__ == "__main__":
    force_fork()
    model = Model("tiny", location=sys.argv[1])
    settings = EngineSettings(
        model, engine_args={"max_model_len": 512}, log=EngineOutput(), tell=tell
    )
    try:
        interrupt.run(answer(VllmEngine(settings), int(sys.argv[2]), int(sys.argv[3])))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
