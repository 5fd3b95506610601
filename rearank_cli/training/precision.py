"""Which numbers training computes with: bfloat16 where the machine has it, else float32."""

from rearank_cli.engines.machine import cpu_has_bfloat16


def on_gpu() -> bool:
    """Tell whether torch sees a GPU."""
    import torch

    return bool(torch.cuda.is_available())


def in_bf16(precision: str) -> bool:
    """Tell whether to compute in bfloat16; `auto` is yes where the machine does so itself.

    That is on GPUs since Ampere and on CPUs with AVX512-BF16 or AMX. Elsewhere bfloat16 is
    several times slower than float32, or not there.
    """
    if precision != "auto":
        return precision == "bf16"
    if not on_gpu():
        return cpu_has_bfloat16()
    import torch

    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def chosen(precision: str) -> str:
    """Return the numbers' name, for people and for the run's record."""
    return "bfloat16" if in_bf16(precision) else "float32"
