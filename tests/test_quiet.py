import asyncio

import pytest

from rearank_cli.engines import quiet
from rearank_cli.engines.quiet import Quiet


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_word_after_a_minute_without_an_answer_and_after_twice_as_long() -> None:
    async def main() -> list[str]:
        clock, told = Clock(), list[str]()
        watch = Quiet(told.append, clock)
        with watch.waiting(), watch.waiting():
            for second in range(0, 200, 5):
                clock.now = 100.0 + second
                if second == 55:
                    watch.answered()
                if second == 100:
                    watch.failed("http://a: 503")
                watch.look()
        return told

    assert asyncio.run(main()) == [
        "no answer for 60 s; 2 requests wait; last try: http://a: 503",
        "no answer for 120 s; 2 requests wait; last try: http://a: 503",
    ]


def test_no_word_when_nothing_is_in_flight() -> None:
    async def main() -> list[str]:
        clock, told = Clock(), list[str]()
        watch = Quiet(told.append, clock)
        with watch.waiting():
            pass
        clock.now += 1000
        with watch.waiting():
            watch.look()
        return told

    assert asyncio.run(main()) == []


def test_the_word_comes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "QUIET", 0.02)

    async def main() -> str:
        told: asyncio.Queue[str] = asyncio.Queue()
        watch = Quiet(told.put_nowait)
        with watch.waiting():
            return await asyncio.wait_for(told.get(), 20)

    assert asyncio.run(main()) == "no answer for 0 s; 1 request waits"
