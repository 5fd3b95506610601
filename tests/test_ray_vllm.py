"""vLLM's CPU build in two replicas of a real cluster."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from command import descendants, gone_after
from nodes import limited, opened, two_nodes, until
from tiny import make_model

from rearank_cli.engines.options import open_settings
from rearank_cli.engines.ray import RayEngine
from rearank_cli.records import Completion, Message, Request, Sampling

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    with two_nodes() as local:
        yield local


def asked(number: int) -> Request:
    return Request((Message("user", f"[1] passage {number}"),), Sampling(32))


def named(text: str) -> set[int]:
    """Return the ids of processes of ours by a part of their titles."""
    found = set()
    for pid in descendants(os.getpid()):
        with suppress(OSError):
            if text.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def test_two_replicas_answer_when_one_engine_has_died(nodes: Any, tmp_path: Path) -> None:
    """vLLM's CPU build with a small random model; the engine is killed, and its actor lives."""
    arguments = {"dtype": "float32", "max_model_len": 256, "max_num_seqs": 4}
    engine = open_settings(
        str(make_model(tmp_path)), ray=nodes.address, replicas=2, engine_args=arguments, cache=False
    ).make()
    assert isinstance(engine, RayEngine)

    async def main() -> list[Completion]:
        async with opened(engine):
            await until(lambda: engine.capacity == 8, 240)
            assert engine.kv_tokens > 0
            first = [await engine.complete(asked(n)) for n in range(2)]
            cores = named("EngineCore")
            assert len(cores) == 2
            waiting = [asyncio.create_task(engine.complete(asked(n))) for n in range(8)]
            await asyncio.sleep(0)
            os.kill(min(cores), signal.SIGKILL)
            later = await asyncio.gather(*waiting)
            assert engine.retries["replica lost"]
            return [*first, *later]

    with limited(300.0):  # two engines start on two cores
        answers = asyncio.run(main())
    assert all(each.completion_tokens and each.text for each in answers)
    assert [each.text for each in answers[:2]] == [each.text for each in answers[2:4]]
    assert gone_after(named("EngineCore"), 30)
