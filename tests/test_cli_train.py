"""`rearank train` from the outside: settings, errors, and a run that is killed and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import tiny
from corpora import rearank

STEPS = 6


def test_print_config_shows_every_setting_with_its_source(tmp_path: Path) -> None:
    result = rearank("train", "--print-config", "--set", "grpo.steps=7", "--full", cache=tmp_path)
    assert result.returncode == 0, result.stderr
    settings = tomllib.loads(result.stdout)
    assert (settings["grpo"]["steps"], settings["grpo"]["generations"]) == (7, 32)
    assert settings["lora"]["rank"] == 0
    assert 'paper: "32 rollouts"' in result.stdout
    assert result.stdout.count("# set by you") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lists.jsonl"], "expected --output"),
        (["-o", "out"], "expected lists to train on, or --sft"),
        (["nowhere.jsonl", "-o", "out"], "nowhere.jsonl: no such file"),
        (["lists.jsonl", "-o", "out", "--prompt", "rankgpt"], "its prompts ask for reasoning"),
        (["lists.jsonl", "-o", "out", "--set", "grpo.speed=1"], "no such setting: grpo.speed"),
        (["lists.jsonl", "-o", "out", "-m", "./none"], "--model ./none: no such folder"),
        (["lists.jsonl", "-o", "out", "--tracker", "paper"], "--tracker: expected one of"),
        (
            ["lists.jsonl", "-o", "out", "-m", "model", "--rollouts", "server"],
            "--rollouts server: expected --server URL",
        ),
        (
            ["lists.jsonl", "-o", "out", "-m", "model", "--set", "run.micro_batch=3"],
            "a step has 4096 answers",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(
    folder: Path, arguments: list[str], message: str
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "rearank_cli", "train", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "out").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cli")
    tiny.make_model(place / "model")
    tiny.write_lists(place / "lists.jsonl", 8)
    (place / "profile.toml").write_text(tiny.PROFILE, encoding="utf-8")
    return place


def environment(folder: Path) -> dict[str, str]:
    root = str(Path(__file__).parents[1])
    return {
        **os.environ,
        "PYTHONPATH": root,
        "REARANK_CACHE_DIR": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }


def test_a_killed_run_goes_on_when_the_command_is_given_again(folder: Path) -> None:
    settings = (
        f"grpo.steps={STEPS}",
        "grpo.prompts_per_step=2",
        "grpo.generations=2",
        "grpo.max_answer_tokens=64",
        "run.micro_batch=4",
        "run.save_every=1",
        "lora.rank=4",
    )
    command = [sys.executable, "-m", "rearank_cli", "train", "lists.jsonl", "-m", "./model"]
    command += ["-o", "run", "--prompt", "profile.toml", "--rollouts", "generate"]
    command += [part for each in settings for part in ("--set", each)]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(folder), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 200
    checkpoints = folder / "run" / "checkpoints" / "grpo"
    while not list(checkpoints.glob("checkpoint-*/trainer_state.json")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "run" / "adapter_config.json").exists()
    again = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    metrics = (folder / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in metrics] == list(range(1, STEPS + 1))
    adapter = json.loads((folder / "run" / "adapter_config.json").read_text("utf-8"))
    assert adapter["base_model_name_or_path"] == "./model"
    assert (folder / "run" / "adapter_model.safetensors").is_file()
