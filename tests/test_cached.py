import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedEngine
from test_store import make_first_store

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.cached import CachedEngine, request_key
from rearank_cli.engines.models import resolve_model
from rearank_cli.engines.store import Store
from rearank_cli.errors import EngineError
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
        {"model": Model("m", "/m", "r2")},
        {"server_args": {"temperature": None}},
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
    assert key(model=Model("./m", "/elsewhere", "r1")) == key()
    assert key(engine_args={"max_model_len": 4096, "max_lora_rank": 16}) == key()


def test_a_model_without_a_revision_is_known_by_its_name() -> None:
    assert key(model=Model("a")) != key(model=Model("b"))


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


def test_a_fragment_is_not_stored(tmp_path: Path) -> None:
    ask(tmp_path / "s", ScriptedEngine(lambda prompt: Completion("[3", "", "abort")), [PROMPT])
    engine = ScriptedEngine(lambda prompt: ANSWER)
    assert ask(tmp_path / "s", engine, [PROMPT]) == [ANSWER]


def test_equal_requests_at_the_same_time_are_asked_once(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda prompt: ANSWER, seconds=lambda prompt: 0.05)
    found = ask(tmp_path / "s", engine, [PROMPT] * 5 + [(Message("user", "other"),)] * 3)
    assert len(engine.prompts) == 2
    # What was not asked for again is not paid for again.
    assert [each.cached for each in found] == [False, *[True] * 4, False, *[True] * 2]
    assert {each.text for each in found} == {"text"}


def test_equal_requests_at_the_same_time_fail_together_and_can_be_asked_again(
    tmp_path: Path,
) -> None:
    def fail(prompt: Prompt) -> str:
        raise EngineError("broken")

    async def main() -> list[Any]:
        engine = ScriptedEngine(fail, seconds=lambda prompt: 0.05)
        cached = CachedEngine(engine, Store(tmp_path / "s"))
        request = Request(PROMPT, SAMPLING)
        failed: list[Any] = []
        for count in (1, 2):
            asks = [cached.complete(request) for _ in range(count)]
            failed += await asyncio.gather(*asks, return_exceptions=True)
        engine.script = lambda prompt: ANSWER
        completion = await cached.complete(request)
        await cached.close()
        return [*map(str, failed), len(engine.prompts), completion]

    assert asyncio.run(main()) == ["broken", "broken", "broken", 3, ANSWER]


def test_one_who_gives_up_does_not_take_the_answer_from_the_others(tmp_path: Path) -> None:
    async def main() -> tuple[Completion, int, int]:
        engine = ScriptedEngine(lambda prompt: ANSWER, seconds=lambda prompt: 0.05)
        cached = CachedEngine(engine, Store(tmp_path / "s"))
        request = Request(PROMPT, SAMPLING)
        first = asyncio.create_task(cached.complete(request))
        second = asyncio.create_task(cached.complete(request))
        while not engine.in_flight:
            await asyncio.sleep(0.001)
        first.cancel()
        completion = await second
        third = asyncio.create_task(cached.complete(Request(PROMPT, Sampling(7))))
        while not engine.in_flight:
            await asyncio.sleep(0.001)
        third.cancel()  # nobody else wants it: the engine is left in peace
        await asyncio.gather(third, return_exceptions=True)
        while engine.in_flight:
            await asyncio.sleep(0.001)
        await cached.close()
        return completion, len(engine.prompts), cached.kept

    # Who gave up did not pay for it.
    assert asyncio.run(main()) == (ANSWER, 2, 1)


def test_the_answers_of_the_first_stores_are_found_and_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys were made by the version before: of the folder's files, and the name as typed."""
    (tmp_path / "m").mkdir()
    for name, text in (
        ("config.json", "{}"),
        ("tokenizer.json", '{"added_tokens": []}'),
        ("model.safetensors", "weights"),
    ):
        (tmp_path / "m" / name).write_text(text)
        os.utime(tmp_path / "m" / name, (1_700_000_000, 1_700_000_000))
    monkeypatch.chdir(tmp_path)
    settings = EngineSettings(
        resolve_model("m"),
        engine_args={"max_model_len": 4096, "max_num_seqs": 8, "dtype": "bfloat16"},
    )
    old = "5084a225dcb260e70c2a3430e33bd0c2c745f8c1efeaf01887cf5124935b23f7"
    make_first_store(tmp_path / "s", {bytes.fromhex(old): ANSWER})
    prompt = (Message("system", "order"), Message("user", "hello – 你好"))
    request = Request(prompt, SAMPLING, {"enable_thinking": True})

    def complete(settings: EngineSettings, legacy: bool = True) -> tuple[Completion, int]:
        async def main() -> Completion:
            legacy_identity = settings.legacy_identity() if legacy else None
            cached = CachedEngine(engine, Store(tmp_path / "s"), legacy_identity)
            try:
                return await cached.complete(request)
            finally:
                await cached.close()

        engine = ScriptedEngine(lambda prompt: "asked")
        engine.identity = settings.identity  # type: ignore[method-assign]
        return asyncio.run(main()), len(engine.prompts)

    assert complete(settings) == (replace(ANSWER, cached=True), 0)
    # Under its new key it needs neither the old name nor the old times.
    os.utime(tmp_path / "m" / "model.safetensors", (1, 1))
    elsewhere = replace(settings, model=resolve_model(str(tmp_path / "m")), engine_args={})
    assert complete(replace(elsewhere, engine_args={"dtype": "bfloat16"}), legacy=False)[1] == 0
    assert complete(elsewhere)[1] == 1
