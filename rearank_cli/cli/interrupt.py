"""Running a coroutine so that Ctrl-C and SIGTERM end it in order."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
TERMINATED = 128 + signal.SIGTERM


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result.

    Ctrl-C cancels it and raises `KeyboardInterrupt`; SIGTERM cancels it and raises `SystemExit`
    with the code that shells give. Either way its `finally` blocks have run.
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
    except asyncio.CancelledError:
        if terminated:
            raise SystemExit(TERMINATED) from None
        raise
