"""One model answers alike in this process and behind a server of vLLM."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tiny import make_model

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.dialects import Dialect
from rearank_cli.engines.splitting import Asked
from rearank_cli.engines.vllm import VllmEngine
from rearank_cli.records import Completion, Message, Request, Sampling

vllm = pytest.importorskip("vllm")
PROMPT = (Message("user", "hello"),)
# As Qwen2.5-Instruct has it, with what other models add.
GENERATION = {
    "do_sample": True,
    "repetition_penalty": 1.05,
    "temperature": 0.7,
    "top_p": 0.8,
    "top_k": 20,
    "min_p": 0.1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_model(tmp_path_factory.mktemp("model") / "m")
    (made / "generation_config.json").write_text(json.dumps(GENERATION))
    return made


def server_defaults(folder: Path) -> dict[str, Any]:
    """Return what a server takes for granted when a request says nothing."""
    from vllm.engine.arg_utils import AsyncEngineArgs

    found = AsyncEngineArgs(model=str(folder)).create_model_config().get_diff_sampling_param()
    return {**found, "presence_penalty": 1.5}  # from --override-generation-config


def served(body: dict[str, Any], defaults: dict[str, Any]) -> Any:
    """Return the parameters that a server makes of a request's body."""
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

    request = ChatCompletionRequest.model_validate(body)
    return request.to_sampling_params(request.max_tokens or 0, defaults)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(50),
        Sampling(50, temperature=0.6, seed=3),
        Sampling(50, 0.6, 3, top_p=0.95, top_k=20, min_p=0.05, repetition_penalty=1.1),
        Sampling(50, repetition_penalty=1.1),
    ],
)
def test_a_server_draws_answers_as_the_engine_in_this_process_does(
    folder: Path, sampling: Sampling
) -> None:
    defaults = server_defaults(folder)
    assert {name: defaults[name] for name in ("repetition_penalty", "top_k", "top_p")} == {
        "repetition_penalty": 1.05,
        "top_k": 20,
        "top_p": 0.8,
    }
    request = Request(PROMPT, sampling)
    engine = VllmEngine(EngineSettings(Model("m", str(folder))))
    ours = engine.parameters(request, Asked((1,), None, {}))
    theirs = served(Dialect("m").body("http://host/v1", request), defaults)
    for parameters in (ours, theirs):
        parameters.top_k = max(parameters.top_k, 0)  # vLLM reads -1 and 0 alike: all tokens
    names = (
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "max_tokens"),
        *("presence_penalty", "frequency_penalty", "n", "stop", "stop_token_ids", "min_tokens"),
        *("ignore_eos", "logit_bias", "bad_words", "skip_special_tokens", "output_kind"),
    )
    different = {
        name: (getattr(ours, name), getattr(theirs, name))
        for name in names
        if getattr(ours, name) != getattr(theirs, name)
    }
    assert different == {}


@pytest.mark.parametrize("reason", ["abort", "error", "repetition", None])
def test_a_fragment_in_this_process_is_an_error(reason: str | None) -> None:
    from types import SimpleNamespace

    from rearank_cli.engines.vllm_outputs import last
    from rearank_cli.errors import EngineError

    answer = SimpleNamespace(text="[3", finish_reason=reason, token_ids=[1, 2])
    output = SimpleNamespace(outputs=[answer], prompt_token_ids=[1])

    async def outputs() -> AsyncGenerator[Any, None]:
        yield output

    with pytest.raises(EngineError, match="broke the answer off"):
        asyncio.run(last(outputs()))
    answer.finish_reason = "length"
    assert asyncio.run(last(outputs()))[0].finish_reason == "length"


def test_pieces_make_the_answer_and_what_is_enough_ends_it() -> None:
    from types import SimpleNamespace

    from rearank_cli.engines.vllm_outputs import in_pieces, told

    closed = []

    async def outputs() -> AsyncGenerator[Any, None]:
        try:
            for place, text in enumerate(["[3]", "", " > [1", "]"]):
                reason = "stop" if place == 3 else None
                piece = SimpleNamespace(text=text, finish_reason=reason, token_ids=[1, 2])
                yield SimpleNamespace(outputs=[piece], prompt_token_ids=[1, 2, 3])
        finally:
            closed.append(True)

    async def hear(enough: int) -> tuple[Completion, list[str]]:
        heard: list[str] = []

        def listen(so_far: Completion) -> bool:
            heard.append(so_far.text)
            return len(so_far.text) >= enough

        async with aclosing(outputs()) as pieces:
            found, _ = await told(pieces, listen)
        return found, heard

    whole = Completion("[3] > [1]", "", "stop", 3, 8)
    assert asyncio.run(hear(99)) == (whole, ["[3]", "[3] > [1"])
    assert asyncio.run(hear(4)) == (
        Completion("[3] > [1", "", "enough", 3, 6),
        ["[3]", "[3] > [1"],
    )
    assert closed == [True, True]
    few, many = (in_pieces(vllm.SamplingParams(), flying) for flying in (0, 200))
    assert few.output_kind == vllm.sampling_params.RequestOutputKind.DELTA
    assert (few.stream_interval, many.stream_interval) == (1, 13)
