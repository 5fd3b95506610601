"""The script that tries to train a small model: its plan holds together, its curve can be drawn."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, environment

from rearank_cli.recipes.loading import load_recipe
from rearank_cli.training.settings import load_settings

HERE = ROOT / "benchmarks" / "training"


def planned(folder: Path, shared: Path) -> list[str]:
    result = subprocess.run(
        ["make", "-n", "-f", str(HERE / "smol.mk"), f"OUT={folder}/smol"]
        + [f"DATA={shared / 'collections'}", "REARANK=rearank", "smol"],
        cwd=ROOT,
        env={**environment(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.replace("\\\n", " ").splitlines()


def test_nothing_is_trained_on_what_is_measured(tmp_path: Path, shared: Path) -> None:
    lines = planned(tmp_path, shared)
    augmented = [line for line in lines if " augment " in line]
    assert len(augmented) == 10
    assert all("--exclude-queries" in line for line in augmented)
    for name in ("dl19", "cacm", "demo"):
        assert not any(f"/{name}" in line or f" {name} " in line for line in augmented)
        assert sum(f"/{name}." in line and " rerank " in line for line in lines) == 3
        assert sum(f"/{name}.tsv" in line and "--baseline" in line for line in lines) == 1


def test_its_settings_and_its_prompt_are_valid(tmp_path: Path, shared: Path) -> None:
    (train,) = [line for line in planned(tmp_path, shared) if " train " in line]
    words = train.split()
    changes = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
    settings = load_settings(None, changes)
    assert settings.lora.rank == 16
    assert settings.validation.stride < settings.validation.window
    (message,) = load_recipe(str(HERE / "smol.toml")).render("why?", ["one", "two"])
    assert "[1] one\n[2] two" in message.content


def test_the_learning_curve_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra `dev`")
    records = [{"stage": "sft", "step": 1, "loss": 2.0}]
    records += [{"stage": "grpo", "step": n, "reward": n, "rank": n, "format": 1} for n in (1, 2)]
    records += [{"stage": "validation", "after": "sft", "step": 0, "nDCG@10": 0.4, "retrieved": 0}]
    source, target = tmp_path / "metrics.jsonl", tmp_path / "curve.png"
    source.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(HERE / "curve.py"), str(source), str(target)], check=False
    )
    assert result.returncode == 0
    assert target.read_bytes().startswith(b"\x89PNG")


def test_smoothing_takes_what_there_is() -> None:
    pytest.importorskip("matplotlib", reason="needs the extra `dev`")
    spec = importlib.util.spec_from_file_location("curve", HERE / "curve.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.smooth([1.0, 3.0, 5.0], width=2) == [1.0, 2.0, 4.0]


def test_the_likelihood_is_not_taught_with_what_is_measured(tmp_path: Path) -> None:
    """All that is read lies in the run's own folder, and the settings of its training are valid."""
    made = subprocess.run(
        ["make", "-n", "-f", str(HERE / "likelihood.mk"), f"OUT={tmp_path}", "REARANK=rearank"],
        cwd=ROOT,
        env={**environment(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    lines = made.stdout.replace("\\\n", " ").splitlines()
    collections = {line.split()[line.split().index("-d") + 1] for line in lines if " -d " in line}
    assert collections == {f"{tmp_path}/pairs"}
    (train,) = [line.split() for line in lines if line.startswith("rearank train")]
    changes = [train[at + 1] for at, word in enumerate(train) if word == "--set"]
    assert load_settings(None, changes).likelihood.steps == 400
    assert "likelihood" in train[train.index("--objective") :]
    assert (ROOT / train[train.index("--sources") + 1]).is_file()
