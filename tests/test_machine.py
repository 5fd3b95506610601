"""What a machine can do, told from its files alone."""

import pytest

from rearank_cli.engines.machine import cpu_has_bfloat16

AVX2 = "processor\t: 0\nmodel name\t: AMD EPYC 7B12\nflags\t\t: fpu sse4_2 avx avx2 f16c\n"


def core(flags: str, name: str = "flags\t\t") -> str:
    return f"processor\t: 0\n{name}: fpu {flags} sse4_2\n\n"


@pytest.mark.parametrize(
    ("cpuinfo", "native"),
    [
        (AVX2, False),
        (core("avx512f avx512_bf16"), True),
        (core("amx_bf16 amx_tile"), True),
        (core("asimd bf16", "Features\t"), True),
        (core("asimd fphp", "Features\t"), False),
        (core("avx512f avx_ne_convert"), False),
        (core("amx_bf16") + core("avx2"), False),  # cores of two kinds: work lands on both
        ("vmx flags\t: amx_bf16\n", False),  # a virtual machine's flags are not the core's
        ("", False),
    ],
)
def test_bfloat16_is_native_where_every_core_has_its_instructions(
    cpuinfo: str, native: bool
) -> None:
    assert cpu_has_bfloat16(cpuinfo) is native
