"""A run that goes on is the run that was begun: same base, same prompts, no line twice."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tiny

from rearank_cli.collection import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Passage, Query
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.card import write_card
from rearank_cli.training.folder import Folder
from rearank_cli.training.job import Job
from rearank_cli.training.settings import load_settings
from rearank_cli.training.validation import HeldOut

pytest.importorskip("trl", reason="needs the extra `train`")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("model"))


def a_job(
    folder: Path,
    model: Path,
    grade: int = 1,
    text: str = "a",
    switches: Mapping[str, Any] | None = None,
) -> Job:
    work = [Candidates(Query("1", "why?"), ("a", "b"), {"a": Passage("a", text)})]
    return Job(
        base=str(model),
        name="tiny",
        settings=load_settings(),
        folder=Folder(str(folder)),
        lists=None,
        answers=None,
        held_out=HeldOut(
            "held-out.trec", work, Judgements.of({"1": {"b": grade}}), load_recipe("rearank")
        ),
        switches=switches or {},
    )


def retrained(folder: Path) -> None:
    """Write other weights of the same shapes, as another epoch of training would."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    weights = load_file(file)
    save_file({name: tensor * 1.5 for name, tensor in weights.items()}, file, {"format": "pt"})


def test_another_base_under_the_same_name_is_refused(tmp_path: Path) -> None:
    base = tiny.make_model(tmp_path / "base")
    job = a_job(tmp_path / "run", base)
    job.folder.begin(job.about(), restart=False)
    assert job.folder.begin(job.about(), restart=False) is True
    retrained(base)
    with pytest.raises(RearankError, match="holds a run with other weights"):
        job.folder.begin(job.about(), restart=False)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"switches": {"enable_thinking": False}}, "chat template switches"),
        ({"grade": 2}, "validation"),
        ({"text": "another text"}, "validation"),
    ],
)
def test_what_else_changes_a_run_is_refused(
    model: Path, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    job = a_job(tmp_path / "run", model)
    job.folder.begin(job.about(), restart=False)
    with pytest.raises(RearankError, match=f"holds a run with other {named}"):
        job.folder.begin(a_job(tmp_path / "run", model, **change).about(), restart=False)


def test_going_on_repeats_no_validation(model: Path, tmp_path: Path) -> None:
    """Killed after step 9 of GRPO, when the newest checkpoint is that of step 8."""
    job = a_job(tmp_path / "run", model)
    job.folder.path.mkdir()
    figures = {"nDCG@10": 0.5, "retrieved": 0.5, "flawed": 0.0}

    def note(after: str, *steps: int) -> None:
        for step in steps:
            job.folder.log({"stage": after, "step": step, "reward": 0.1})
            job.folder.log({"stage": "validation", "after": after, "step": step, **figures})

    note("sft", 0, 2)
    note("grpo", 0, 3, 6, 9)
    job.folder.rewind("grpo", 8)
    note("grpo", 9, 12)
    found = [
        (each["after"], each["step"])
        for each in job.folder.records()
        if each["stage"] == "validation"
    ]
    assert found == [("sft", 0), ("sft", 2), *(("grpo", step) for step in (0, 3, 6, 9, 12))]
    write_card(job)
    card = (job.folder.path / "README.md").read_text("utf-8")
    assert card.count("| grpo | 9 |") == 1


def test_without_a_checkpoint_a_stage_is_measured_from_its_beginning(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    for after in ("sft", "grpo"):
        folder.log({"stage": "validation", "after": after, "step": 0})
    folder.rewind("grpo", -1)
    lines = folder.metrics.read_text("utf-8").splitlines()
    assert [json.loads(line)["after"] for line in lines] == ["sft"]
