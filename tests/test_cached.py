import asyncio
import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedEngine

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.cached import CachedEngine, request_key
from rearank_cli.engines.store import Store
from rearank_cli.errors import EngineError, RearankError
from rearank_cli.records import Completion, Message, Prompt, Request, Sampling

PROMPT: Prompt = (Message("user", "hello – 你好"),)
SAMPLING = Sampling(100)
ANSWER = Completion("text", "thoughts", "length", 12, 34)


def ask(store: Path, engine: ScriptedEngine, prompts: list[Prompt]) -> list[Completion]:
    async def main() -> list[Completion]:
        cached = CachedEngine(engine, Store(store))
        try:
            await cached.open()
            requests = [Request(prompt, SAMPLING) for prompt in prompts]
            return list(await asyncio.gather(*map(cached.complete, requests)))
        finally:
            await cached.close()

    return asyncio.run(main())


def test_an_answer_is_asked_for_once_and_comes_back_whole(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda prompt: ANSWER)
    first = ask(tmp_path / "s", engine, [PROMPT])
    again = ask(tmp_path / "s", engine, [PROMPT])
    assert first == [ANSWER]
    assert again == [Completion("text", "thoughts", "length", 12, 34, cached=True)]
    assert len(engine.prompts) == 1


def test_when_all_answers_are_known_the_engine_is_not_started(tmp_path: Path) -> None:
    ask(tmp_path / "s", ScriptedEngine(lambda prompt: ANSWER), [PROMPT])
    idle = ScriptedEngine(lambda prompt: ANSWER)
    ask(tmp_path / "s", idle, [PROMPT])
    assert idle.opened == 0


def test_many_windows_that_miss_start_the_engine_once(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda prompt: ANSWER)
    ask(tmp_path / "s", engine, [(Message("user", str(n)),) for n in range(20)])
    assert (engine.opened, engine.closed, len(engine.prompts)) == (1, 1, 20)


def key(**changes: Any) -> bytes:
    """Return the key of a request, with changes to the engine's settings or to the request."""
    values: dict[str, Any] = {"model": Model("m", "/m", "r1"), "sampling": SAMPLING, **changes}
    asked = {name: values.pop(name) for name in ("sampling", "chat_template") if name in values}
    return request_key(EngineSettings(**values).identity(), Request(PROMPT, **asked))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": Model("other", "/m", "r1")},
        {"model": Model("m", "/m", "r2")},
        {"sampling": Sampling(101)},
        {"sampling": Sampling(100, temperature=0.5)},
        {"sampling": Sampling(100, repetition_penalty=1.05)},
        {"adapter": Model("a", "/a", "a1")},
        {"chat_template": {"enable_thinking": True}},
        {"engine_args": {"quantization": "fp8"}},
    ],
)
def test_whatever_determines_the_answer_is_in_the_key(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


def test_what_does_not_determine_the_answer_is_not_in_the_key() -> None:
    assert key(engine_args={"tensor_parallel_size": 4, "max_num_seqs": 9}) == key()
    assert key(sampling=Sampling(100, seed=7)) == key()
    assert key(model=Model("m", "/elsewhere", "r1")) == key()


def test_the_key_depends_on_roles_and_turns(tmp_path: Path) -> None:
    cached = CachedEngine(ScriptedEngine(), Store(tmp_path / "s"))
    prompts: list[Prompt] = [
        (Message("user", "ab"),),
        (Message("system", "ab"),),
        (Message("user", "a"), Message("user", "b")),
    ]
    assert len({cached.key(Request(prompt, SAMPLING)) for prompt in prompts}) == 3


def test_a_failure_is_not_stored(tmp_path: Path) -> None:
    def fail(prompt: Prompt) -> str:
        raise EngineError("broken")

    with pytest.raises(EngineError):
        ask(tmp_path / "s", ScriptedEngine(fail), [PROMPT])
    engine = ScriptedEngine(lambda prompt: ANSWER)
    assert ask(tmp_path / "s", engine, [PROMPT]) == [ANSWER]


def test_a_file_that_is_no_cache_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"not a database at all" * 100)
    with pytest.raises(RearankError) as caught:
        Store(tmp_path / "s")
    assert "cannot be opened" in caught.value.message
    assert "--no-cache" in caught.value.hint


def test_a_cache_that_is_damaged_inside_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    store.put(b"key", "m", ANSWER)
    store.close()
    with sqlite3.connect(tmp_path / "s") as database:
        database.execute("DROP TABLE completions")
        database.execute("CREATE TABLE completions (other)")
    with pytest.raises(EngineError) as caught:
        Store(tmp_path / "s").get(b"key")
    assert "cannot be read" in caught.value.message


def fill(path: Path, worker: int) -> None:
    store = Store(path)
    for number in range(200):
        store.put(f"{worker}-{number}".encode(), f"m{worker}", ANSWER)
        store.put(f"shared-{number}".encode(), "shared", ANSWER)
    store.close()


def test_processes_share_a_cache_without_harm(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=fill, args=(tmp_path / "s", worker)) for worker in range(3)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    assert [process.exitcode for process in workers] == [0, 0, 0]
    assert Store(tmp_path / "s").info().models == {"m0": 200, "m1": 200, "m2": 200, "shared": 200}


def test_clearing_one_model_or_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    for model, count in (("a", 3), ("b", 2)):
        for number in range(count):
            store.put(f"{model}{number}".encode(), model, ANSWER)
    assert store.clear("a") == 3
    assert store.info().models == {"b": 2}
    assert store.clear() == 2
    assert store.info().models == {}
