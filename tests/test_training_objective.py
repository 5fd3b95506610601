"""What GRPO minimises is what the settings say, not what a version of TRL has for defaults."""

from pathlib import Path
from typing import Any

import pytest
import tiny

from rearank_cli.training.data import read_lists
from rearank_cli.training.folder import Folder
from rearank_cli.training.job import Job, Rollouts
from rearank_cli.training.settings import load_settings

pytest.importorskip("trl", reason="needs the extra `train`")


def config(folder: Path, *changes: str, rollouts: Rollouts | None = None) -> Any:
    """The very object that the trainer is given."""
    from rearank_cli.training import stages

    job = Job(
        base="tiny",
        name="tiny",
        settings=load_settings(None, ["run.precision=float32", *changes]),
        folder=Folder(str(folder)),
        lists=read_lists(str(tiny.write_lists(folder / "lists.jsonl", 4))),
        answers=None,
        rollouts=rollouts or Rollouts(),
    )
    return stages._grpo_config(job)


@pytest.mark.parametrize("rollouts", [Rollouts(), Rollouts("server", "http://127.0.0.1:1")])
def test_the_objective_is_the_papers(tmp_path: Path, rollouts: Rollouts) -> None:
    found = config(tmp_path, rollouts=rollouts)
    expected = {
        "use_bias_correction_kl": False,
        "vllm_importance_sampling_correction": False,
        "loss_type": "grpo",
        "scale_rewards": "group",
        "beta": 0.001,
        "importance_sampling_level": "token",
        "num_iterations": 1,
        "steps_per_generation": found.gradient_accumulation_steps,
        "epsilon": 0.2,
        "epsilon_high": None,
        "delta": None,
        "entropy_coef": 0.0,
        "top_entropy_quantile": 1.0,
        "mask_truncated_completions": False,
        "off_policy_mask_threshold": None,
        "sync_ref_model": False,
        "multi_objective_aggregation": "sum_then_normalize",
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": None,
        "repetition_penalty": 1.0,
        "weight_decay": 0.0,
    }
    assert {name: getattr(found, name) for name in expected} == expected


def test_both_corrections_can_be_had(tmp_path: Path) -> None:
    found = config(tmp_path, "grpo.kl_times_ratio=true", "grpo.sampler_correction=true")
    assert found.use_bias_correction_kl and found.vllm_importance_sampling_correction
