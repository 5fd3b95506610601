"""Which model a machine gets when none is named."""

from collections.abc import Sequence

from rearank_cli.engines.gpus import Gpu
from rearank_cli.engines.machine import Machine, this_machine

EMBEDDED = "smollm2-135m"
PAPER_MODEL = "le723z/Rearank-7B"
# Its weights take 14.2 GiB; below some 20 GiB too few windows fit beside them. Cards sold as
# "20 GB" tell a little less.
PAPER_MIB = 19 * 1024
# With weights of one byte, 7.2 GiB; computing with them begins with Ampere, compute capability 8.
FP8_MIB = 11 * 1024
AMPERE = (8, 0)
SMALLER = "`model=Qwen/Qwen2.5-1.5B-Instruct`, say"
_OWN_MIB = 3 * 1024  # of every card, for the context, for buffers and for a few windows


def default_model(machine: Machine | None = None) -> str:
    """Return the paper's model where a GPU has room for it, else the small embedded one."""
    return choose_default(machine or this_machine())[0]


def choose_default(machine: Machine) -> tuple[str, str]:
    """Return the model for a machine, and a sentence where a GPU is there but too small for it.

    A card that does not tell its memory is taken to have enough. Of several cards the smallest
    counts, for CUDA may begin with any of them.
    """
    if not machine.uses_gpu:
        return EMBEDDED, ""
    told = [gpu for gpu in machine.gpus if gpu.total]
    if not told:
        return PAPER_MODEL, ""
    card = min(told, key=lambda gpu: gpu.total)
    if card.total >= PAPER_MIB:
        return PAPER_MODEL, ""
    ways = [f"`model={PAPER_MODEL}` `tensor_parallel_size={n}`" for n in _splits(told)]
    if card.total >= FP8_MIB and card.capability >= AMPERE:
        ways.append(f"`model={PAPER_MODEL}` `engine_args` quantization=fp8 `max_model_len=8192`")
    if max(gpu.total for gpu in told) >= PAPER_MIB:
        ways.append("CUDA_VISIBLE_DEVICES=N for a larger card")
    return EMBEDDED, (
        f"{PAPER_MODEL} takes 14.2 GiB of GPU memory and room to work in; {card.name} has "
        f"{card.total / 1024:.1f} GiB, so {EMBEDDED} is taken; better: "
        + ", or ".join([*ways, f"a smaller model ({SMALLER})", "a server (`base_urls`)"])
    )


def _splits(gpus: Sequence[Gpu]) -> list[int]:
    """Return over how many of these cards the paper's model can be split, if it can at all.

    Its 28 heads can be divided by 2 and 4.
    """
    smallest = min(gpu.total for gpu in gpus)
    return [
        n for n in (2, 4) if n <= len(gpus) and n * (smallest - _OWN_MIB) >= PAPER_MIB - _OWN_MIB
    ][:1]
