"""The model in training answers by what it is asked, whatever its generation_config.json says."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny

from rearank_cli.records import Message, Request, Sampling
from rearank_cli.training.data import read_answers, read_lists
from rearank_cli.training.folder import Folder
from rearank_cli.training.job import Job
from rearank_cli.training.settings import Lora, load_settings

pytest.importorskip("trl", reason="needs the extra `train`")

LONGEST = 24
# What a published model may say there, each strong enough to change what a greedy model writes.
OWN = (
    {"do_sample": True, "repetition_penalty": 1.5, "temperature": 0.6, "top_k": 20, "top_p": 0.9},
    {"no_repeat_ngram_size": 2},
    {"num_beams": 3, "do_sample": False},
    {"sequence_bias": [[[97], 50.0]]},
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("plain"))


def with_own(plain: Path, folder: Path, own: dict[str, Any]) -> Path:
    """The same model, published with other habits."""
    shutil.copytree(plain, folder)
    config = folder / "generation_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), **own}), "utf-8")
    return folder


def said(model: Any, folder: Path) -> list[str]:
    from rearank_cli.training import policy
    from rearank_cli.training.engine import PolicyEngine

    async def ask() -> list[str]:
        engine = PolicyEngine(model, policy.load_tokenizer(str(folder)), LONGEST, 4)
        await engine.open()
        try:
            requests = [
                Request((Message("user", text),), Sampling(LONGEST))
                for text in ("one", "two", "three")
            ]
            return [each.text for each in await asyncio.gather(*map(engine.complete, requests))]
        finally:
            await engine.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("lora", [False, True], ids=["bare", "adapter"])
@pytest.mark.parametrize("own", OWN, ids=lambda own: next(iter(own)))
def test_validation_ignores_a_models_own_generation_config(
    plain: Path, tmp_path: Path, own: dict[str, Any], lora: bool
) -> None:
    from rearank_cli.training import policy

    def load(folder: Path) -> Any:
        base = policy.load_base(str(folder), lora=False)
        adapter = Lora(rank=2, alpha=2, dropout=0.0, modules="all-linear", first_layer=0)
        return policy.with_adapter(base, adapter, 0) if lora else base

    other = with_own(plain, tmp_path / "other", own)
    model = load(other)
    before = model.generation_config.to_dict()
    assert said(model, other) == said(load(plain), plain)
    assert model.generation_config.to_dict() == before  # it is saved as it was published


def test_sampling_in_grpo_ignores_it_too(plain: Path, tmp_path: Path) -> None:
    """A model whose config ends every answer at once is sampled as if it had none."""
    end = json.loads((plain / "generation_config.json").read_text("utf-8"))["eos_token_id"]
    model = with_own(plain, tmp_path / "model", {"sequence_bias": [[[end], 100.0]]})
    changes = ("steps=1", "prompts_per_step=2", "generations=2", f"max_answer_tokens={LONGEST}")
    job = Job(
        base=str(model),
        name="tiny",
        settings=load_settings(
            None, [*(f"grpo.{each}" for each in changes), "run.micro_batch=4", "lora.rank=2"]
        ),
        folder=Folder(str(tmp_path / "run")),
        lists=read_lists(str(tiny.write_lists(tmp_path / "lists.jsonl", 4))),
        answers=None,
    )
    from rearank_cli.training.train import train

    train(job)
    (step,) = job.folder.records()
    assert step["length"] > LONGEST / 2


def test_the_warm_up_is_shown_prompts_as_reranking_shows_them(plain: Path, tmp_path: Path) -> None:
    """A chat template that does not render without its switch: the profile's must come along."""
    from rearank_cli.training.train import train

    model = with_own(plain, tmp_path / "model", {})
    template = model / "chat_template.jinja"
    demand = "{% if thinking is not defined %}{{ raise_exception('no switch') }}{% endif %}"
    template.write_text(demand + template.read_text("utf-8"), "utf-8")
    changes = ("sft.epochs=0.5", "sft.batch=4", "run.micro_batch=4", "lora.rank=2")
    job = Job(
        base=str(model),
        name="tiny",
        settings=load_settings(None, [*changes, "run.precision=float32"]),
        folder=Folder(str(tmp_path / "run")),
        lists=None,
        answers=read_answers(str(tiny.write_warmup(tmp_path / "warmup.jsonl", 8))),
        switches={"thinking": False},
    )
    train(job)
    assert job.folder.finished()
