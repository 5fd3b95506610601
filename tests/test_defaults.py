"""Which model and which precision a machine gets when nobody says."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from rearank_cli.cli.wording import spelled
from rearank_cli.engines import models, opening
from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.defaults import EMBEDDED, PAPER_MODEL, choose_default
from rearank_cli.engines.gpus import Gpu
from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine
from rearank_cli.engines.opening import with_dtype
from rearank_cli.engines.options import open_settings

CARD = Gpu(0, "GPU-aa11", "NVIDIA card", 24564, 0, "580.95.05", (8, 9))
GPU = Machine([Path("/dev/nvidia0")], [CARD], "580.95.05", builds=frozenset({GPU_BUILD}))
CPU = Machine(builds=frozenset({CPU_BUILD}))


def machine(total: int, capability: tuple[int, int] = (8, 9), cards: int = 1) -> Machine:
    return replace(GPU, gpus=[replace(CARD, total=total, capability=capability)] * cards)


@pytest.mark.parametrize("total", [81559, 24564, 20475, 19968, 0])
def test_a_gpu_with_room_gets_the_papers_model(total: int) -> None:
    assert choose_default(machine(total)) == (PAPER_MODEL, "")


@pytest.mark.parametrize("found", [CPU, Machine(), replace(GPU, builds=CPU.builds)])
def test_without_a_gpu_that_is_used_it_is_the_embedded_model(found: Machine) -> None:
    assert choose_default(found) == (EMBEDDED, "")


def test_a_gpu_whose_memory_nothing_tells_gets_the_papers_model() -> None:
    assert choose_default(replace(GPU, gpus=())) == (PAPER_MODEL, "")


@pytest.mark.parametrize(
    ("found", "named", "not_named"),
    [
        (machine(16376), ["quantization=fp8", "16.0 GiB", "--base-url", "Qwen2.5-1.5B"], ["-size"]),
        (machine(12282), ["quantization=fp8"], []),
        (machine(8188), ["--base-url"], ["fp8"]),
        (machine(15360, (7, 5)), ["--base-url"], ["fp8"]),  # Turing
        (machine(12282, cards=2), ["--tensor-parallel-size 2"], []),
        (machine(8188, cards=4), ["--tensor-parallel-size 4"], []),
        (machine(8188, cards=2), [], ["-size"]),
        (replace(GPU, gpus=[CARD, replace(CARD, total=8188)]), ["CUDA_VISIBLE_DEVICES=N"], []),
    ],
)
def test_a_small_gpu_gets_the_embedded_model_and_hears_of_better_ways(
    found: Machine, named: list[str], not_named: list[str]
) -> None:
    model, why = choose_default(found)
    assert model == EMBEDDED
    told = spelled(why)
    assert all(word in told for word in named)
    assert not any(word in told for word in not_named)


def test_the_sentence_is_said_and_the_unused_gpu_noticed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(models, "resolve_model", Model)
    monkeypatch.setattr(models, "this_machine", lambda: machine(8188))
    assert models.find_model(None, served=False).name == EMBEDDED
    assert "8.0 GiB" in caplog.text
    caplog.clear()
    assert models.find_model("other", served=False).name == "other"
    assert caplog.messages == []
    monkeypatch.setattr(models, "this_machine", lambda: replace(GPU, builds=CPU.builds))
    assert models.find_model(None, served=False).name == EMBEDDED
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("there is an NVIDIA GPU, but the CPU build")
    caplog.clear()
    models.find_model("gpt", served=True)
    assert caplog.messages == []


def settings(model: Path, **arguments: str) -> EngineSettings:
    return EngineSettings(Model("m", str(model)), engine_args=arguments)


@pytest.mark.parametrize(("native", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_a_cpu_computes_in_what_it_is_fast_in_and_answers_are_kept_by_it(
    tmp_path: Path, native: bool, chosen: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"dtype": "bfloat16"}))
    made = with_dtype(settings(tmp_path), CPU, native)
    assert made.engine_args == {"dtype": chosen}
    assert made.identity()["engine_args"] == {"dtype": chosen}


def test_what_was_asked_for_stands(tmp_path: Path) -> None:
    asked = settings(tmp_path, dtype="float16")
    assert with_dtype(asked, CPU, False) == asked


def test_gpus_servers_and_quantised_models_keep_their_own_precision(tmp_path: Path) -> None:
    plain = settings(tmp_path)
    assert with_dtype(plain, GPU, False) == plain
    rocm = Machine(builds=frozenset({"vllm+rocm"}))
    assert with_dtype(plain, rocm, False) == plain
    served = EngineSettings(Model("gpt"))
    assert with_dtype(served, CPU, False) == served
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"bits": 4}}))
    assert with_dtype(plain, CPU, False) == plain


def test_a_machine_is_not_looked_at_for_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked() -> Machine:
        raise AssertionError("nvidia-smi takes seconds, and nothing of it is used")

    monkeypatch.setattr(opening, "this_machine", looked)
    monkeypatch.setattr(models, "this_machine", looked)
    found = open_settings("gpt", base_urls=["http://localhost:1/v1"])
    assert found.settings.engine_args == {}


def test_whoever_opens_a_model_gets_this_cpus_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").touch()
    monkeypatch.setattr(opening, "this_machine", lambda: CPU)
    monkeypatch.setattr(opening, "cpu_has_bfloat16", lambda: False)
    assert open_settings(str(tmp_path)).settings.engine_args == {"dtype": "float32"}
