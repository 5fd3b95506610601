"""What is saved under DeepSpeed's ZeRO-3, which leaves every process empty tensors between steps.

DeepSpeed itself is not here: its one call that we make is played, on a real adapter of peft.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import tiny

from rearank_cli.errors import EngineError
from rearank_cli.training.data import read_lists
from rearank_cli.training.folder import Folder
from rearank_cli.training.job import Job
from rearank_cli.training.settings import load_settings

pytest.importorskip("trl", reason="needs the extra `train`")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("model"))


def a_job(base: Path, folder: Path, rank: int = 2) -> Job:
    return Job(
        base=str(base),
        name="tiny",
        settings=load_settings(None, [f"lora.rank={rank}", "run.precision=float32"]),
        folder=Folder(str(folder / "run")),
        lists=read_lists(str(tiny.write_lists(folder / "lists.jsonl", 4))),
        answers=None,
    )


def adapter(job: Job) -> Any:
    from rearank_cli.training import policy

    base = policy.load_base(job.base, job.lora, job.settings.run.precision)
    return policy.with_adapter(base, job.settings.lora, 0)


def spread(model: Any, mark: bool = True, left: int = 0) -> dict[str, Any]:
    """Leave every parameter empty, as ZeRO-3 does, or a flat piece; return what they held."""
    held = {}
    for number, (name, parameter) in enumerate(model.named_parameters()):
        held[name] = parameter.data
        parameter.data = parameter.data.flatten()[:left].clone()
        if mark:
            parameter.ds_id = number
    return held


def trainer(model: Any, main: bool = True, deepspeed: bool = True) -> Any:
    """The parts of a trainer that saving asks for."""
    return SimpleNamespace(
        model=model,
        is_deepspeed_enabled=deepspeed,
        is_fsdp_enabled=False,
        is_world_process_zero=lambda: main,
        accelerator=SimpleNamespace(unwrap_model=lambda it: it, wait_for_everyone=lambda: None),
        save_model=lambda folder: Path(folder).mkdir(parents=True),
    )


def save(job: Job, of: Any) -> None:
    from rearank_cli.training import policy, stages

    stages._save(job, of, policy.load_tokenizer(job.base), job.folder.path)


@pytest.mark.parametrize("left", [0, 5], ids=["empty", "pieces"])
def test_an_adapter_that_was_not_gathered_ends_no_run(
    base: Path, tmp_path: Path, left: int
) -> None:
    job = a_job(base, tmp_path)
    model = adapter(job)
    spread(model, mark=False, left=left)  # in a way that nothing tells of
    with pytest.raises(EngineError, match=r"adapter_model\.safetensors: 28 of its 28 tensors"):
        save(job, trainer(model))
    assert not (job.folder.path / "adapter_model.safetensors").exists()


def test_a_model_that_was_not_written_ends_no_run(base: Path, tmp_path: Path) -> None:
    """As when ZeRO-3 is told not to gather: transformers warns, and writes no weights."""
    job = a_job(base, tmp_path, rank=0)
    with pytest.raises(EngineError, match="run: expected the trained weights, found no"):
        save(job, trainer(None))


@contextmanager
def deepspeed(held: dict[str, Any], model: Any, monkeypatch: Any) -> Iterator[list[list[str]]]:
    """A `deepspeed.zero.GatheredParameters` that fills what it is given; yields their names."""
    asked: list[list[str]] = []
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    @contextmanager
    def gathered(parameters: Sequence[Any], modifier_rank: int | None) -> Iterator[None]:
        assert modifier_rank is None  # read, not changed
        asked.append([names[id(each)] for each in parameters])
        for each in parameters:
            each.data = held[names[id(each)]]
        yield
        for each in parameters:
            each.data = each.data.flatten()[:0]

    module = ModuleType("deepspeed")
    module.zero = SimpleNamespace(GatheredParameters=gathered)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deepspeed", module)
    yield asked


def test_spread_adapters_are_gathered_by_every_process(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    job = a_job(base, tmp_path)
    model = adapter(job)
    held = spread(model)
    with deepspeed(held, model, monkeypatch) as asked:
        save(job, trainer(model, main=False))  # gathering takes part in all processes
        assert not job.folder.path.exists()
        save(job, trainer(model))
    assert len(asked) == 2 and len(asked[0]) == 28
    assert all("lora_" in name for name in asked[0])  # not the 7 billion below
    saved = load_file(job.folder.path / "adapter_model.safetensors")
    for name, tensor in saved.items():
        assert tensor.equal(held[name.replace(".weight", ".default.weight")]), name
