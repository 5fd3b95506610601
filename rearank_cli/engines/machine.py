"""What this machine can do, found out without importing anything heavy.

Only the standard library is used, so that `scripts/check_machine.py` works before anything is
installed.
"""

from pathlib import Path

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
