"""What the processor of this machine can do."""

from pathlib import Path

# The two that multiply bfloat16 numbers; elsewhere they are taken apart and put together again.
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


def cpu_has_bfloat16(cpuinfo: str | None = None) -> bool:
    """Tell whether the processor computes in bfloat16 itself.

    Where it does not, bfloat16 is several times slower than float32. `cpuinfo` is the text of
    Linux's /proc/cpuinfo, by default this machine's; a machine without one has no bfloat16.
    """
    if cpuinfo is None:
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
        except OSError:
            return False
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return not _BFLOAT16.isdisjoint(value.split())
    return False
