"""What vLLM needs on a GPU machine, and what to do where it is not there.

Only the standard library is used: `scripts/check_machine.py` asks before anything is installed.
"""

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearank_cli.engines.gpus import Gpu, Holder
from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine

# Every vLLM since 0.26 comes with CUDA 13, which needs this driver (CUDA 13 release notes) and
# has no code for cards before Turing.
DRIVER = 580
CAPABILITY = (7, 5)
# The part of a card that vLLM takes unless told otherwise (its `gpu_memory_utilization`).
UTILIZATION = 0.92
_COMMAND = 100  # characters of a command line that are shown
_SLACK = 512  # MiB by which nvidia-smi and CUDA may disagree about what is free
_ELSEWHERE = "or take a server elsewhere (`base_urls`), or the CPU build (make install ENGINE=cpu)"
_CUDA = Path("/usr/local/cuda/bin/nvcc")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that would keep vLLM from working: what it is, and what to do about it."""

    what: str
    remedy: str


def build_problem(builds: frozenset[str]) -> Problem | None:
    """Return what is wrong when both builds of vLLM are in one environment."""
    if not {GPU_BUILD, CPU_BUILD} <= builds:
        return None
    return Problem(
        f"{GPU_BUILD} and {CPU_BUILD} are installed in one environment, where each overwrites "
        "files of the other",
        "make a new environment and install one of them: 'rearank-cli[gpu]' or 'rearank-cli[cpu]'",
    )


def mismatch(machine: Machine) -> Problem | None:
    """Return what is wrong when the installed build of vLLM is not the one for this machine."""
    if machine.builds == {CPU_BUILD} and machine.has_gpu:
        return Problem(
            "there is an NVIDIA GPU, but the CPU build of vLLM is installed: it is not used",
            "make a new environment for it: rm -rf .venv && make install ENGINE=gpu, or "
            "pip install 'rearank-cli[gpu]' in a fresh one",
        )
    if machine.builds == {GPU_BUILD} and machine.concealed:
        return Problem(
            "CUDA_VISIBLE_DEVICES leaves no GPU, and the GPU build of vLLM needs one",
            "unset CUDA_VISIBLE_DEVICES, or name a card: CUDA_VISIBLE_DEVICES=0",
        )
    if machine.builds == {GPU_BUILD} and not machine.has_gpu:
        return Problem(
            "the GPU build of vLLM is installed, but there is no NVIDIA GPU here",
            f"run this on the GPU machine, {_ELSEWHERE}",
        )
    return None


def driver_problem(machine: Machine, environ: Mapping[str, str] = os.environ) -> Problem | None:
    """Return what is wrong with the driver or too old about the cards; None where all is well.

    A driver whose version nothing tells passes, and so does an old one where the user has
    switched on vLLM's use of CUDA's compatibility package.
    """
    compatible = environ.get("VLLM_ENABLE_CUDA_COMPATIBILITY", "0").strip().lower()
    major = re.match(r"\d+", machine.driver)
    if major is None and machine.trouble and "is not here" not in machine.trouble:
        return Problem(
            f"the NVIDIA driver does not answer: {machine.trouble}",
            f"install driver {DRIVER} or later and restart, {_ELSEWHERE}",
        )
    if major and int(major[0]) < DRIVER and compatible not in ("1", "true"):
        return Problem(
            f"vLLM needs the NVIDIA driver {DRIVER} or later (CUDA 13), found {machine.driver}",
            f"update the driver, {_ELSEWHERE}",
        )
    old = [gpu for gpu in machine.gpus if (0, 0) < gpu.capability < CAPABILITY]
    if old and len(old) == len(machine.gpus):
        found = ".".join(map(str, old[0].capability))
        return Problem(
            f"vLLM needs a card of compute capability 7.5 or later (CUDA 13), "
            f"found {old[0].name} with {found}",
            _ELSEWHERE.removeprefix("or "),
        )
    return None


def compiler_problems(
    environ: Mapping[str, str] = os.environ,
    which: Callable[[str], str | None] = shutil.which,
    include: str | None = None,
    release: str | None = None,
) -> list[Problem]:
    """Return what Triton misses to compile its launcher when the engine starts.

    It takes $CC, else gcc or clang, and this Python's headers from the folder `include`;
    `release` is the text of /etc/os-release, for the names of packages.
    """
    include = _include() if include is None else include
    release = _release() if release is None else release
    compiler = environ.get("CC", "").split()
    there = which(compiler[0]) if compiler else which("gcc") or which("clang")
    problems = []
    if not there:
        missing = f"CC={environ['CC']}" if compiler else "gcc or clang"
        problems.append(
            Problem(
                f"vLLM compiles code on a GPU machine and needs a C compiler: found no {missing}",
                _package(release, "gcc"),
            )
        )
    if not (Path(include) / "Python.h").is_file():
        problems.append(
            Problem(
                f"vLLM compiles code on a GPU machine and needs Python's headers: found no "
                f"{include}/Python.h",
                _package(release, "headers"),
            )
        )
    return problems


def _include() -> str:
    """Return where Triton looks for Python.h; Debian's own scheme names another folder."""
    scheme = sysconfig.get_default_scheme()
    return sysconfig.get_path("include", "posix_prefix" if scheme == "posix_local" else scheme)


def _release() -> str:
    try:
        return Path("/etc/os-release").read_text("utf-8", "replace")
    except OSError:
        return ""


def _package(release: str, part: str) -> str:
    """Return the command that installs a compiler or Python's headers on this system."""
    fields = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").lower().split()
    major, minor = sys.version_info[:2]
    dotted, joined = f"{major}.{minor}", f"{major}{minor}"
    for system, command, headers in (
        ("debian", "sudo apt-get install", f"python{dotted}-dev"),
        ("ubuntu", "sudo apt-get install", f"python{dotted}-dev"),
        ("fedora", "sudo dnf install", f"python{dotted}-devel (or python3-devel)"),
        ("rhel", "sudo dnf install", f"python{dotted}-devel (or python3-devel)"),
        ("suse", "sudo zypper install", f"python{joined}-devel"),
    ):
        if system in names:
            return f"{command} {'gcc' if part == 'gcc' else headers}"
    if part == "gcc":
        return "install gcc with the system's package manager"
    return f"install the development package of Python {dotted}, often called python3-dev"


def find_nvcc(
    environ: Mapping[str, str] = os.environ,
    which: Callable[[str], str | None] = shutil.which,
    usual: Path = _CUDA,
) -> str | None:
    """Return CUDA's compiler where FlashInfer looks for it.

    That is $CUDA_HOME or $CUDA_PATH, and only without them PATH and /usr/local/cuda.
    """
    home = environ.get("CUDA_HOME") or environ.get("CUDA_PATH")
    if home:
        return which(str(Path(home) / "bin/nvcc"))
    return which("nvcc") or which(str(usual))


def attention_backend(gpus: Sequence[Gpu], nvcc: str | None) -> str | None:
    """Return the attention that vLLM must be told to use, or None where its own choice works.

    On compute capability 10 it prefers FlashInfer's, which is compiled when the engine starts;
    without CUDA's compiler the engine would not come up.
    """
    blackwell = any(gpu.capability[0] == 10 for gpu in gpus)
    return "FLASH_ATTN" if blackwell and not nvcc else None


def memory_problem(
    gpus: Sequence[Gpu], holders: Sequence[Holder], part: float = UTILIZATION
) -> Problem | None:
    """Return what is wrong when other processes hold memory that vLLM is going to ask for.

    `gpus` are the cards that it will take, `part` of each. A card that does not tell its memory
    passes.
    """
    for gpu in gpus:
        if gpu.total and gpu.free + _SLACK < part * gpu.total:
            of_this = [each for each in holders if each.uuid in ("", gpu.uuid)]
            biggest = sorted(of_this, key=lambda each: -each.used)[:3]
            named = ", ".join(map(_holding, biggest))
            fits = max(0.0, (gpu.free - _SLACK) / gpu.total)
            return Problem(
                f"{gpu.name}: {_gib(gpu.used)} of {_gib(gpu.total)} GiB are in use"
                + (f" by {named}" if named else "")
                + f", and vLLM is to take {part:.0%}",
                "give several runs to one rearank rerank, which starts one engine for all, or let "
                "all commands ask one server (vllm serve MODEL, then `base_urls`); else end those "
                "processes, pick another card with CUDA_VISIBLE_DEVICES, or take less: "
                f"`engine_args` gpu_memory_utilization={int(fits * 100) / 100:.2f}",
            )
    return None


def _holding(holder: Holder) -> str:
    """Say who holds how much."""
    typed = holder.command or holder.name
    shown = typed if len(typed) <= _COMMAND else typed[: _COMMAND - 1] + "…"
    size = f", {_gib(holder.used)} GiB" if holder.used else ""
    return f"{shown} (process {holder.pid}{size})"


def _gib(mib: int) -> str:
    return f"{mib / 1024:.1f}"
