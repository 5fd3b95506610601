"""Settings: defaults with their sources, files and texts that change them, and bad ones."""

import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.training.settings import accumulation, load_settings


def test_the_papers_values_are_the_defaults() -> None:
    settings = load_settings()
    assert (settings.grpo.steps, settings.grpo.prompts_per_step) == (160, 128)
    assert settings.grpo.generations == 32
    assert (settings.reward.rank, settings.reward.tags, settings.reward.listed) == (0.8, 0.1, 0.1)
    assert accumulation(settings, processes=8) == 512


def test_every_value_says_where_it_comes_from() -> None:
    lines = [line for line in load_settings().text.splitlines() if " = " in line]
    assert len(lines) > 30
    for line in lines:
        assert re.search(r"# (paper|nearest|ours)\b", line), line


def test_changes_are_in_the_values_and_in_the_text(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text(
        "[grpo]\nsteps = 7\nbeta = 1\n[lora]\nrank = 4\nmodules = 'q_proj'\n", "utf-8"
    )
    settings = load_settings(
        str(config), ["grpo.steps=9", "run.gradient_checkpointing=false", "grpo.loss=dapo"]
    )
    assert (settings.grpo.steps, settings.grpo.beta, settings.grpo.loss) == (9, 1.0, "dapo")
    read = tomllib.loads(settings.text)
    expected = asdict(settings)
    expected.pop("text")
    assert read == expected
    assert settings.text.count("# set by you") == 6
    assert load_settings(str(_again(tmp_path, settings.text))).grpo == settings.grpo


def _again(folder: Path, text: str) -> Path:
    path = folder / "again.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("steps=3", "expected section.key=value"),
        ("grpo.speed=3", "no such setting: grpo.speed"),
        ("grpo.steps=many", "expected a value of type int, found 'many'"),
        ("grpo.steps=0", "grpo.steps: expected more than 0, found 0"),
        ("grpo.generations=1", "grpo.generations: expected at least 2"),
        ("run.precision=int4", "run.precision: expected one of auto, bf16, float32"),
        ("run.gradient_checkpointing=1", "expected a value of type bool, found 1"),
    ],
)
def test_bad_changes(change: str, message: str) -> None:
    with pytest.raises(RearankError, match=re.escape(message)):
        load_settings(None, [change])


def test_bad_files(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    for text, message in (("steps = 3", "expected [sections]"), ("[grpo", "expected TOML")):
        config.write_text(text, encoding="utf-8")
        with pytest.raises(RearankError, match=re.escape(message)):
            load_settings(str(config))


def test_answers_that_cannot_be_shared_out() -> None:
    settings = load_settings(None, ["grpo.prompts_per_step=3", "grpo.generations=3"])
    assert accumulation(settings, 3) == 3
    with pytest.raises(RearankError, match="9 answers"):
        accumulation(settings, 2)
