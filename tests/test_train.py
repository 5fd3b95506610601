"""Training for real, on a tiny random model: rewards rise, a broken run ends as an unbroken one.

One warm-up teaches the answer's format, since a random model never writes it; one run of GRPO is
shared by the tests that look at its results.
"""

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from types import SimpleNamespace
from typing import Any

import pytest
import tiny

from rearank_cli.collection import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.progress import Advance, shown_by
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage, Query, Sampling
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.data import read_answers, read_lists
from rearank_cli.training.folder import Folder
from rearank_cli.training.job import Job
from rearank_cli.training.settings import load_settings
from rearank_cli.training.train import train
from rearank_cli.training.validation import HeldOut

pytest.importorskip("trl", reason="needs the extra `train`")

# float32 on every machine: rewards, figures and weights are compared.
COMMON = ("run.micro_batch=32", "run.gradient_checkpointing=false", "run.precision=float32")
STEPS = 12
GRPO = (
    *COMMON,
    "lora.rank=8",
    "lora.alpha=16",
    "sft.lora_learning_rate=0.001",
    f"grpo.steps={STEPS}",
    "grpo.prompts_per_step=8",
    "grpo.generations=8",
    "grpo.lora_learning_rate=0.004",
    "grpo.beta=0.01",
    "grpo.max_answer_tokens=24",
    "run.save_every=4",
    "run.keep=9",
    "validation.every=6",
    "validation.window=3",
    "validation.stride=1",
    "validation.depth=3",
    "validation.max_answer_tokens=24",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def taught(place: Path) -> Path:
    """A model that writes the format, mostly in the order shown; all its weights were trained."""
    import torch

    torch.set_num_threads(1)  # for a model this small, threads only wait for each other
    warmup = tiny.write_warmup(place / "warmup.jsonl", 512)
    model = tiny.make_model(place / "model")
    changes = [*COMMON, "lora.rank=0", "sft.epochs=5.0", "sft.learning_rate=0.01"]
    folder = place / "taught"
    job = Job(
        base=str(model),
        name="tiny",
        settings=load_settings(None, [*changes, "run.save_every=1000"]),
        folder=Folder(str(folder)),
        lists=None,
        answers=read_answers(str(warmup)),
    )
    train(job)
    return folder


def grpo_job(place: Path, taught: Path, name: str, changes: Sequence[str] = GRPO) -> Job:
    """A warm-up of two steps and GRPO after it, with held-out queries of the same task."""
    profile = place / "profile.toml"
    profile.write_text(tiny.PROFILE, encoding="utf-8")
    passages = {letter: Passage(letter, letter) for letter in "abc"}
    work = [Candidates(Query(f"v{n}", f"q{n}"), ("a", "b", "c"), passages) for n in range(3)]
    return Job(
        base=str(taught),
        name="tiny",
        settings=load_settings(None, changes),
        folder=Folder(str(place / name)),
        lists=read_lists(str(tiny.write_lists(place / "lists.jsonl", 40))),
        answers=read_answers(str(tiny.write_warmup(place / "more.jsonl", 64, seed=1))),
        held_out=HeldOut(
            "toy",
            work,
            Judgements.of({f"v{n}": {"c": 1} for n in range(3)}),
            load_recipe(str(profile)),
        ),
    )


@pytest.fixture(scope="module")
def trained(place: Path, taught: Path) -> Job:
    job = grpo_job(place, taught, "unbroken")
    train(job)
    return job


def measured(job: Job, stage: str) -> list[dict[str, Any]]:
    """What a run noted, without the time that it took."""
    return [
        {key: value for key, value in record.items() if key != "seconds"}
        for record in job.folder.records()
        if record["stage"] == stage
    ]


@pytest.mark.slow
def test_the_reward_rises(trained: Job) -> None:
    steps = measured(trained, "grpo")
    assert [record["step"] for record in steps] == list(range(1, STEPS + 1))
    first, last = mean_of(steps[:2], "reward"), mean_of(steps[-3:], "reward")
    assert last > first + 0.15
    assert mean_of(steps[-3:], "rank") > 0.75
    names = {"rank", "tags", "listed", "recall", "format", "ndcg", "length", "kl", "cut"}
    assert names <= set(steps[0])


def mean_of(records: Sequence[dict[str, Any]], name: str) -> float:
    return float(mean(record[name] for record in records))


@pytest.mark.slow
def test_held_out_queries_gain_too(trained: Job) -> None:
    figures = measured(trained, "validation")
    assert [(each["after"], each["step"]) for each in figures] == [
        ("sft", 0),
        ("sft", 2),
        ("grpo", 0),
        ("grpo", 6),
        ("grpo", 12),
    ]
    assert all(each["retrieved"] == pytest.approx(0.5) for each in figures)
    assert figures[-1]["nDCG@10"] == pytest.approx(1.0)


@pytest.mark.slow
def test_a_broken_run_ends_as_an_unbroken_one(place: Path, taught: Path, trained: Job) -> None:
    """As after a kill in step 11: one checkpoint half written, the metrics' last line cut off."""
    job = grpo_job(place, taught, "broken")
    shutil.copytree(trained.folder.path, job.folder.path)
    checkpoints = job.folder.checkpoints("grpo")
    shutil.rmtree(checkpoints / "checkpoint-12")
    (checkpoints / "checkpoint-8" / "trainer_state.json").unlink()
    for name in ("done", "README.md", "adapter_model.safetensors"):
        (job.folder.path / name).unlink()
    with job.folder.metrics.open("a", encoding="utf-8") as handle:
        handle.write('{"stage": "grpo", "st')
    train(job)
    assert measured(job, "grpo") == measured(trained, "grpo")
    assert measured(job, "sft") == measured(trained, "sft")
    assert measured(job, "validation") == measured(trained, "validation")
    unbroken, broken = (weights(each.folder.path) for each in (trained, job))
    assert unbroken.keys() == broken.keys()
    assert all(unbroken[name].equal(broken[name]) for name in unbroken)


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(folder / "adapter_model.safetensors")
    return found


@pytest.mark.slow
def test_a_finished_run_is_left_alone_and_another_is_refused(
    place: Path, taught: Path, trained: Job, caplog: pytest.LogCaptureFixture
) -> None:
    before = (trained.folder.path / "adapter_model.safetensors").stat().st_mtime_ns
    caplog.set_level(logging.INFO)
    train(trained)
    assert "this run is finished" in caplog.text
    assert (trained.folder.path / "adapter_model.safetensors").stat().st_mtime_ns == before
    other = grpo_job(place, taught, "unbroken", [*GRPO, "grpo.beta=0.5"])
    with pytest.raises(RearankError, match="holds a run with other settings"):
        train(other)


@pytest.mark.slow
def test_the_card_tells_data_settings_and_results(trained: Job) -> None:
    card = (trained.folder.path / "README.md").read_text("utf-8")
    assert "rearank rerank RUN -d NAME --model tiny --adapter unbroken" in card
    assert "GRPO: 40 lists of 10 queries" in card
    assert "| grpo | 12 | 0.5000 | 1.0000 |" in card
    assert "steps = 12 " in card and "Computed in float32." in card
    assert (trained.folder.path / "settings.toml").read_text("utf-8") == trained.settings.text


@pytest.mark.slow
def test_all_weights_can_be_trained_by_grpo(place: Path, taught: Path) -> None:
    changes = [*GRPO, "lora.rank=0", "grpo.steps=2", "grpo.learning_rate=0.001"]
    job = grpo_job(place, taught, "full", changes)
    train(job)
    assert (job.folder.path / "model.safetensors").is_file()
    assert not (job.folder.path / "adapter_config.json").exists()
    steps = measured(job, "grpo")
    assert len(steps) == 2 and steps[0]["kl"] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_modules_that_the_model_lacks_are_said(place: Path, taught: Path) -> None:
    job = grpo_job(place, taught, "modules", [*GRPO, "lora.modules=nowhere_proj"])
    with pytest.raises(RearankError, match=r"lora\.modules: .*nowhere_proj"):
        train(job)


@pytest.mark.slow
def test_validation_needs_a_whole_model(
    place: Path, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")
    with pytest.raises(RearankError, match="`validate` cannot rerank"):
        train(grpo_job(place, taught, "sharded"))


@pytest.mark.slow
def test_the_adapter_speaks_alike_through_transformers_and_vllm(
    taught: Path, trained: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One start of vLLM; float32 on both sides, so that no rounding differs."""
    pytest.importorskip("vllm", reason="needs the extra `cpu` or `gpu`")
    from rearank_cli.engines.base import EngineSettings
    from rearank_cli.engines.models import resolve_model
    from rearank_cli.engines.opening import with_adapter
    from rearank_cli.engines.vllm import VllmEngine
    from rearank_cli.training import policy
    from rearank_cli.training.engine import PolicyEngine

    assert trained.held_out is not None
    orders = ["abc", "bca", "cab", "acb"]
    texts = [[Cleaner().clean(letter) for letter in order] for order in orders]
    profile = trained.held_out.profile
    requests = [profile.request("q1", shown, Sampling(24)) for shown in texts]

    async def said(engine: Any) -> list[str]:
        await engine.open()
        try:
            answers = await asyncio.gather(*map(engine.complete, requests))
        finally:
            await engine.close()
        return [each.text for each in answers]

    def through_transformers(model: Any) -> list[str]:
        tokenizer = policy.load_tokenizer(str(taught))
        return asyncio.run(said(PolicyEngine(model, tokenizer, 24, 4)))

    def loaded() -> Any:
        return policy.load_base(str(taught), lora=True, precision="float32")

    base = through_transformers(loaded())
    adapted = through_transformers(policy.from_adapter(loaded(), trained.folder.path))
    settings = EngineSettings(
        resolve_model(str(taught)),
        engine_args={"dtype": "float32", "max_model_len": 256},
    )
    settings = with_adapter(settings, str(trained.folder.path))
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    # Java may run in the process of the tests.
    monkeypatch.setattr("rearank_cli.engines.vllm.check_no_java", lambda: None)
    served = asyncio.run(said(VllmEngine(settings)))
    assert served == adapted
    assert adapted != base
    assert all("<answer>[3]" in text for text in adapted)


def test_data_that_is_none_is_refused_by_line(tmp_path: Path) -> None:
    good = {"prompt": [{"role": "user", "content": "x"}], "query": "q", "ideal": [1]}
    for wrong, message in (
        (
            {**good, "grades": [0, "1"], "thinks": True},
            "expected 'grades' to be a list of integers",
        ),
        ({**good, "grades": [0, 1]}, "expected 'thinks' to be true or false"),
        ({**good, "prompt": "x"}, "expected 'prompt' to be a list of messages"),
    ):
        path = tmp_path / "lists.jsonl"
        path.write_text("\n" + json.dumps(wrong) + "\n", encoding="utf-8")
        with pytest.raises(RearankError, match=f"lists.jsonl:2: {message}"):
            read_lists(str(path))
    path.write_text(json.dumps({**good, "grades": [1, 0], "thinks": True}), encoding="utf-8")
    with pytest.raises(RearankError, match="no list whose order could get better"):
        read_lists(str(path))
    assert len(read_lists(str(path), keep_ideal=True).examples) == 1
    path.write_text("", encoding="utf-8")
    with pytest.raises(RearankError, match="expected training examples, found none"):
        read_answers(str(path))


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(RearankError, match="expected an empty folder"):
        Folder(str(tmp_path)).begin({}, restart=True)
    assert (tmp_path / "thesis.txt").exists()


def test_restarting_forgets_the_run_and_nothing_else(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "run"))
    assert folder.begin({"model": "a"}, restart=False) is False
    folder.log({"stage": "grpo", "step": 1})
    folder.finish()
    (folder.path / "notes.txt").write_text("mine", encoding="utf-8")
    assert folder.begin({"model": "b"}, restart=True) is False
    assert not list(folder.records()) and not folder.finished()
    assert (folder.path / "notes.txt").exists()
    assert folder.begin({"model": "b"}, restart=False) is True


def test_progress_is_told_to_who_shows_it_and_figures_are_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from rearank_cli.training.callbacks import Progress

    told: list[object] = []

    @contextmanager
    def draw(label: str, unit: str, total: int | None) -> Iterator[Advance]:
        told.append((label, unit, total))
        yield told.append
        told.append("closed")

    state = SimpleNamespace(is_world_process_zero=True, global_step=1, max_steps=3)
    caplog.set_level("INFO", "rearank_cli")
    with shown_by(draw):
        shown = Progress("grpo")
        shown.on_train_begin(None, state, None)
        for state.global_step in (2, 3):
            shown.on_log(None, state, None, logs={"reward": state.global_step / 10, "loss": 9.0})
            shown.on_step_end(None, state, None)
        shown.on_train_end(None, state, None)
    assert told == [("grpo", "steps", 3), 1, 1, 1, "closed"]
    assert caplog.messages == ["grpo: step 2/3 reward 0.200", "grpo: step 3/3 reward 0.300"]
