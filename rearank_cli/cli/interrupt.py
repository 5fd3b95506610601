"""Running a coroutine so that Ctrl-C and SIGTERM end it in order."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from rearank_cli.log import note

T = TypeVar("T")
TERMINATED = 128 + signal.SIGTERM


def run(main: Coroutine[Any, Any, T], kept: Callable[[], int | None] = lambda: None) -> T:
    """Run a coroutine to its end and return its result.

    Ctrl-C cancels it and raises `KeyboardInterrupt`; SIGTERM cancels it and raises `SystemExit`
    with the code that shells give. Either way its `finally` blocks have run, and one line tells
    how many finished answers are `kept`; None for work that keeps none.
    """
    terminated = False

    async def watched() -> T:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        return await main

    try:
        return asyncio.run(watched())
    except KeyboardInterrupt:
        note(f"interrupted: {_left(kept())}")
        raise
    except asyncio.CancelledError:
        if terminated:
            note(f"terminated: {_left(kept())}")
            raise SystemExit(TERMINATED) from None
        raise


def _left(answers: int | None) -> str:
    if not answers:
        return "no answers are kept"
    them = "1 answer is" if answers == 1 else f"{answers} answers are"
    return f"{them} kept; the same command goes on from there"
