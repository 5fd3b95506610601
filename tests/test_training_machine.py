"""What training takes from the machine: the kind of numbers, and what vLLM needs to start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rearank_cli.engines.machine import cpu_has_bfloat16
from rearank_cli.training.environment import prepare_vllm

FLAGS = "processor\t: 0\nmodel name\t: some processor\nflags\t\t: fpu sse2 avx2 {} md_clear\n"


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        ("", False),
        ("avx512f avx512_vnni", False),
        ("avx512_bf16x", False),
        ("avx512f avx512_bf16", True),
        ("amx_bf16 amx_tile", True),
    ],
)
def test_bfloat16_is_native_with_two_flags_only(flags: str, native: bool) -> None:
    assert cpu_has_bfloat16(FLAGS.format(flags)) is native


@pytest.mark.parametrize("cpuinfo", ["", "model name\t: Imaginary avx512_bf16\n"])
def test_a_processor_that_tells_no_flags_has_none(cpuinfo: str) -> None:
    assert cpu_has_bfloat16(cpuinfo) is False


@pytest.mark.parametrize("native", [True, False])
def test_auto_precision_follows_the_processor(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from rearank_cli.training import precision

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: native)
    assert precision.in_bf16("auto") is native
    assert precision.in_bf16("bf16") is True and precision.in_bf16("float32") is False
    assert precision.chosen("auto") == ("bfloat16" if native else "float32")


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_without_bfloat16_gets_float32(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from rearank_cli.training import precision

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert precision.in_bf16("auto") is native


def test_vllm_finds_the_interpreters_own_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": "/usr/bin"})
    prepare_vllm()
    prepare_vllm()
    here = str(Path(sys.executable).parent)
    assert os.environ["PATH"] == f"{here}{os.pathsep}/usr/bin"
    assert os.environ["VLLM_USE_FLASHINFER_SAMPLER"] == "0"
    os.environ["VLLM_USE_FLASHINFER_SAMPLER"] = "1"
    prepare_vllm()
    assert os.environ["VLLM_USE_FLASHINFER_SAMPLER"] == "1"


def test_the_environment_is_ready_before_trl_is_imported(tmp_path: Path) -> None:
    """In a process of its own, where importing the stages tells what it found and ends."""
    (tmp_path / "trl.py").write_text(
        "import os\nprint(os.environ.get('VLLM_USE_FLASHINFER_SAMPLER'))\nraise SystemExit\n",
        "utf-8",
    )
    program = (
        "from rearank_cli.training.job import Job, Rollouts\n"
        "from rearank_cli.training.folder import Folder\n"
        "from rearank_cli.training.settings import load_settings\n"
        "from rearank_cli.training import train\n"
        "job = Job('m', 'm', load_settings(), Folder('run'), None, None, Rollouts('{}'))\n"
        "train._stages(job, None)\n"
    )
    found = {}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("VLLM_")}
    for mode in ("colocate", "generate"):
        result = subprocess.run(
            [sys.executable, "-c", program.format(mode)],
            cwd=tmp_path,
            env={**plain, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        found[mode] = result.stdout.strip()
    assert found == {"colocate": "0", "generate": "None"}
