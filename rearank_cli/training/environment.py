"""What vLLM reads from the environment where TRL starts it in this process."""

import os
import sys
from pathlib import Path


def prepare_vllm() -> None:
    """Set it; call this before TRL or vLLM is imported. What the user has set wins.

    FlashInfer's sampler would be compiled when vLLM starts, which needs nvcc. What is compiled
    all the same needs ninja, which pip puts beside the interpreter: that folder goes to the head
    of PATH, since the program may be called by its path, without an activated environment.
    """
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")
    here = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if folders[0] != here:
        os.environ["PATH"] = os.pathsep.join([here, *folders])
