"""What a GPU machine lacks is said before anything is downloaded or started."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rearank_cli.engines import prepare as preparing
from rearank_cli.engines.gpus import Gpu, Holder, query_holders
from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine, look
from rearank_cli.engines.needs import (
    attention_backend,
    build_problem,
    compiler_problems,
    driver_problem,
    find_nvcc,
    memory_problem,
    mismatch,
)
from rearank_cli.errors import EngineStartError

CARD = Gpu(0, "GPU-aa11", "NVIDIA L4", 23034, 500, "580.95.05", (8, 9))
GPU = Machine([Path("/dev/nvidia0")], [CARD], "580.95.05", builds=frozenset({GPU_BUILD}))
SMI = "0, GPU-aa11, NVIDIA L4, 23034, 21504, 580.95.05, 8.9\n"
DEBIAN = 'NAME="Debian GNU/Linux"\nID=debian\n'
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'


def nothing(name: str) -> None:
    """Find no program."""


def headers(folder: Path) -> str:
    (folder / "Python.h").touch()
    return str(folder)


@pytest.mark.parametrize("driver", ["580.65.06", "580.95", "590.10", "1000.1", ""])
def test_a_new_driver_passes_and_so_does_one_that_nothing_tells(driver: str) -> None:
    assert driver_problem(replace(GPU, driver=driver), {}) is None


def test_an_old_driver_is_named_with_what_is_needed_and_the_ways_out() -> None:
    problem = driver_problem(replace(GPU, driver="575.57.08"), {})
    assert problem
    assert "580 or later" in problem.what
    assert "575.57.08" in problem.what
    assert "`base_urls`" in problem.remedy
    assert "ENGINE=cpu" in problem.remedy
    switched_on = {"VLLM_ENABLE_CUDA_COMPATIBILITY": "1"}
    assert driver_problem(replace(GPU, driver="575.57.08"), switched_on) is None


def test_a_driver_that_does_not_answer() -> None:
    trouble = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    problem = driver_problem(replace(GPU, driver="", gpus=(), trouble=trouble), {})
    assert problem
    assert trouble in problem.what
    missing = replace(GPU, driver="", gpus=(), trouble="nvidia-smi is not here")
    assert driver_problem(missing, {}) is None


def test_a_card_that_is_too_old_for_cuda_13() -> None:
    volta = replace(CARD, name="Tesla V100", capability=(7, 0))
    problem = driver_problem(replace(GPU, gpus=[volta]), {})
    assert problem
    assert "Tesla V100 with 7.0" in problem.what
    assert driver_problem(replace(GPU, gpus=[volta, CARD]), {}) is None
    assert driver_problem(replace(GPU, gpus=[replace(CARD, capability=(0, 0))]), {}) is None


def test_a_compiler_and_headers_are_all_that_is_needed(tmp_path: Path) -> None:
    for found in ("gcc", "clang"):
        which = {found: f"/usr/bin/{found}"}.get
        assert compiler_problems({}, which, headers(tmp_path), DEBIAN) == []


def test_a_missing_compiler_is_named_with_its_package(tmp_path: Path) -> None:
    (problem,) = compiler_problems({}, nothing, headers(tmp_path), DEBIAN)
    assert "gcc or clang" in problem.what
    assert problem.remedy == "sudo apt-get install gcc"
    (problem,) = compiler_problems({}, nothing, headers(tmp_path), ROCKY)
    assert problem.remedy == "sudo dnf install gcc"
    (problem,) = compiler_problems({}, nothing, headers(tmp_path), "")
    assert problem.remedy == "install gcc with the system's package manager"


def test_cc_wins_and_must_be_there(tmp_path: Path) -> None:
    which = {"gcc": "/usr/bin/gcc", "icx": "/opt/icx"}.get
    assert compiler_problems({"CC": "icx -O2"}, which, headers(tmp_path), DEBIAN) == []
    (problem,) = compiler_problems({"CC": "nocc"}, which, headers(tmp_path), DEBIAN)
    assert "CC=nocc" in problem.what


def test_missing_headers_are_named_with_their_package(tmp_path: Path) -> None:
    which = {"gcc": "/usr/bin/gcc"}.get
    (problem,) = compiler_problems({}, which, str(tmp_path), DEBIAN)
    assert f"{tmp_path}/Python.h" in problem.what
    assert problem.remedy.startswith("sudo apt-get install python3.")
    assert problem.remedy.endswith("-dev")


def test_nvcc_is_looked_for_where_flashinfer_looks(tmp_path: Path) -> None:
    usual = str(tmp_path / "usual")
    there = {"nvcc": "/opt/nvcc", f"{tmp_path}/bin/nvcc": f"{tmp_path}/bin/nvcc"}.get
    assert find_nvcc({}, there, Path(usual)) == "/opt/nvcc"
    assert find_nvcc({"CUDA_HOME": str(tmp_path)}, there, Path(usual)) == f"{tmp_path}/bin/nvcc"
    assert find_nvcc({"CUDA_PATH": "/nowhere"}, there, Path(usual)) is None  # PATH does not count
    assert find_nvcc({}, {usual: usual}.get, Path(usual)) == usual
    assert find_nvcc({}, nothing, Path(usual)) is None


@pytest.mark.parametrize(
    ("capability", "nvcc", "backend"),
    [
        ((10, 0), None, "FLASH_ATTN"),
        ((10, 3), None, "FLASH_ATTN"),
        ((10, 0), "/usr/bin/nvcc", None),
        ((9, 0), None, None),
        ((12, 0), None, None),
        ((0, 0), None, None),
    ],
)
def test_flash_attention_is_chosen_where_flashinfers_cannot_be_compiled(
    capability: tuple[int, int], nvcc: str | None, backend: str | None
) -> None:
    assert attention_backend([replace(CARD, capability=capability)], nvcc) == backend


def test_memory_that_others_hold_is_named_with_who_holds_it() -> None:
    full = replace(CARD, used=9500)
    typed = "rearank rerank a.trec -o b.trec"
    holders = [Holder(12, "python3", 9000, CARD.uuid, typed), Holder(13, "x", 1, "GPU-bb22")]
    problem = memory_problem([full], holders)
    assert problem
    assert problem.what == (
        "NVIDIA L4: 9.3 of 22.5 GiB are in use by rearank rerank a.trec -o b.trec "
        "(process 12, 8.8 GiB), and vLLM is to take 92%"
    )
    assert "give several runs to one rearank rerank" in problem.remedy
    assert "`base_urls`" in problem.remedy
    assert "gpu_memory_utilization=0.56" in problem.remedy
    assert memory_problem([full], holders, 0.56) is None  # what it advises works
    assert memory_problem([CARD], []) is None  # a screen's share
    assert memory_problem([replace(CARD, total=0, used=0)], []) is None


def test_a_second_engine_says_who_holds_the_card(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """nvidia-smi names the engine's process; the command is that of the one that started it."""
    for pid, parent, typed in ((7, 5, "VLLM::EngineCore"), (5, 1, "rearank rerank a.trec")):
        folder = tmp_path / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "cmdline").write_text(typed.replace(" ", "\0") + "\0")
        (folder / "stat").write_text(f"{pid} (VLLM::Engine (x)) S {parent} 1")
    device = tmp_path / "dev" / "nvidia0"
    device.parent.mkdir()
    device.touch()
    apps = "7, VLLM::EngineCore, 20480, GPU-aa11\n5, /usr/bin/python3, 1024, GPU-aa11\n"

    def smi(words: Sequence[str]) -> str:
        if "-L" in words:
            return ""
        return apps if "compute-apps" in words[1] else SMI

    machine = look(tmp_path, {}, smi, frozenset({GPU_BUILD}))
    holders = query_holders(smi, tmp_path)
    # The id may be another process's, as in a container: then it is known by its name alone.
    assert [each.command for each in holders] == ["rearank rerank a.trec", ""]
    monkeypatch.setattr(preparing, "look", lambda: machine)
    monkeypatch.setattr(preparing, "query_holders", lambda: holders)
    found = preparing.taken_meanwhile({})
    assert found
    assert "by rearank rerank a.trec (process 7, 20.0 GiB), /usr/bin/python3 (process 5" in (
        found.what
    )
    assert preparing.taken_meanwhile({"gpu_memory_utilization": 0.05}) is None


def test_both_builds_in_one_environment_are_refused() -> None:
    both = frozenset({GPU_BUILD, CPU_BUILD})
    problem = build_problem(both)
    assert problem
    assert "overwrites" in problem.what
    assert preparing.first_problem(replace(GPU, builds=both), {}, []) == problem
    for one in both:
        assert build_problem(frozenset({one})) is None


def test_a_build_that_is_not_this_machines_is_told() -> None:
    cpu = frozenset({CPU_BUILD})
    unused = mismatch(replace(GPU, builds=cpu))
    assert unused
    assert "it is not used" in unused.what
    assert "ENGINE=gpu" in unused.remedy
    assert mismatch(Machine(builds=cpu)) is None
    assert mismatch(GPU) is None
    hidden = mismatch(replace(GPU, gpus=(), concealed=True))
    assert hidden
    assert "CUDA_VISIBLE_DEVICES" in hidden.what
    missing = mismatch(Machine(builds=GPU.builds))
    assert missing
    assert "there is no NVIDIA GPU here" in missing.what
    assert mismatch(Machine(builds=frozenset({"vllm+rocm"}))) is None


def test_a_start_is_refused_for_the_first_of_the_reasons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(preparing, "compiler_problems", list)
    assert preparing.first_problem(GPU, {}, []) is None
    old = preparing.first_problem(replace(GPU, driver="570.1"), {}, [])
    with pytest.raises(EngineStartError, match=r"vLLM cannot start here: .* found 570\.1"):
        preparing.refuse(old)
    # The second of two cards counts only when both are taken.
    full = replace(CARD, uuid="GPU-bb22", name="NVIDIA L40", used=20000)
    pair = replace(GPU, gpus=[CARD, full])
    assert preparing.first_problem(pair, {}, []) is None
    taken = preparing.first_problem(pair, {"tensor_parallel_size": 2}, [])
    assert taken
    assert "NVIDIA L40" in taken.what
    elsewhere = {"tensor_parallel_size": 2, "distributed_executor_backend": "ray"}
    assert preparing.first_problem(pair, elsewhere, []) is None
    less = {"tensor_parallel_size": 2, "gpu_memory_utilization": 0.1}
    assert preparing.first_problem(pair, less, []) is None


def test_a_compiler_is_not_missed_where_tritons_launcher_is_in_its_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    (found,) = compiler_problems({}, nothing, headers(tmp_path), DEBIAN)
    monkeypatch.setattr(preparing, "compiler_problems", lambda: [found])
    assert preparing.first_problem(GPU, {}, []) == found
    (tmp_path / "KEY").mkdir()
    (tmp_path / "KEY" / "cuda_utils.cpython-312-x86_64-linux-gnu.so").touch()
    assert preparing.first_problem(GPU, {}, []) is None


def test_the_cpu_build_is_never_refused_for_a_gpu_that_it_does_not_use() -> None:
    machine = replace(GPU, driver="470.1", builds=frozenset({CPU_BUILD}))
    assert preparing.first_problem(machine, {}, []) is None
