"""What engine libraries read from the environment, and what they are told by default."""

import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from rearank_cli.engines.machine import Machine
from rearank_cli.engines.needs import attention_backend, find_nvcc

# Room for the keys and values of prompts in flight on a CPU, in GiB; vLLM's own default takes
# half of the machine's memory.
CPU_KV_CACHE_GIB = "4"
SETTINGS = {
    "VLLM_LOGGING_STREAM": "ext://sys.__stderr__",
    "VLLM_LOGGING_LEVEL": "INFO",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": CPU_KV_CACHE_GIB,
    # FlashInfer's sampler is compiled when the engine starts, by a toolkit that few machines
    # have, and greedy decoding never uses it.
    "VLLM_USE_FLASHINFER_SAMPLER": "0",
    # On a GPU vLLM's own default is fork. A forked engine holds copies of our pipes and of our
    # standard output: it would outlive a killed command and print into the run.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "TOKENIZERS_PARALLELISM": "false",
}


def set_environment(
    environ: MutableMapping[str, str] = os.environ, executable: str = sys.executable
) -> None:
    """Set what engine libraries read from the environment; what the user has set wins.

    The folder of the running Python goes to the head of PATH: programs that were installed with
    the engine (ninja) are found there even when the environment is not activated.
    """
    for name, value in SETTINGS.items():
        environ.setdefault(name, value)
    folder = str(Path(executable).parent)  # not resolved: the environment's, not the system's
    paths = environ.get("PATH", "").split(os.pathsep)
    if paths[0] != folder:
        environ["PATH"] = os.pathsep.join([folder, *(path for path in paths if path)])


def engine_defaults(
    machine: Machine, given: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the engine arguments that this machine needs beside those that are `given`.

    The attention is an argument of every vLLM in the range; the environment variable that used
    to choose it is not there any more.
    """
    if {"attention_backend", "attention_config"} & set(given) or not machine.uses_gpu:
        return {}
    backend = attention_backend(machine.gpus, find_nvcc(environ))
    return {"attention_backend": backend} if backend else {}
