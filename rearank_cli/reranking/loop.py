"""An event loop in a thread of its own, so that callers need not have one, or may be in one.

An engine belongs to one loop for its whole life. Notebooks run a loop already, in which nobody may
wait; scripts run none. Both can hand their work to this one.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class _End:
    """What comes after the last item."""


_END = _End()


class LoopThread:
    """Runs coroutines in a loop that lives until `close`."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rearank", daemon=True)
        self._thread.start()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result; Ctrl-C cancels it and waits until it is gone."""
        outcome: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            task = self._loop.create_task(main)
            tasks.append(task)
            task.add_done_callback(finish)

        def finish(task: asyncio.Task[T]) -> None:
            error = CancelledError() if task.cancelled() else task.exception()
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(task.result())

        self._loop.call_soon_threadsafe(begin)
        try:
            return outcome.result()
        except BaseException:
            if not outcome.done():
                self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
                outcome.exception()  # waits
            raise

    async def run_from(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in this loop and wait for it in the caller's."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(main, self._loop))

    def iterate(self, source: AsyncIterator[T]) -> Iterator[T]:
        """Yield what an asynchronous iterator yields; it is closed when the caller stops."""

        async def following() -> T | _End:
            return await anext(source, _END)

        try:
            while not isinstance(found := self.run(following()), _End):
                yield found
        finally:
            closing = getattr(source, "aclose", None)
            if closing is not None:
                with suppress(RuntimeError):
                    self.run(closing())

    def close(self) -> None:
        """Stop the loop and its thread; safe when called twice."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
