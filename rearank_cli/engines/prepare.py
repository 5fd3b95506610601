"""What happens before vLLM starts: the machine is checked, weights fetched, settings made."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rearank_cli.engines.base import EngineSettings
from rearank_cli.engines.environment import set_environment
from rearank_cli.engines.gpus import Holder, query_holders
from rearank_cli.engines.machine import CPU_BUILD, Machine, look, this_machine
from rearank_cli.engines.needs import (
    UTILIZATION,
    Problem,
    build_problem,
    compiler_problems,
    driver_problem,
    memory_problem,
    mismatch,
)
from rearank_cli.engines.weights import fetch_weights
from rearank_cli.errors import EngineStartError

_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


def prepare(settings: EngineSettings) -> str:
    """Return the folder that vLLM is to load, after all checks and settings.

    Raises `EngineStartError` for a machine on which it would not start, and what fetching the
    weights raises.
    """
    machine = this_machine()
    holders = query_holders() if machine.uses_gpu and machine.gpus else []
    refuse(first_problem(machine, settings.engine_args, holders))
    location = fetch_weights(settings.model, settings.engine_args, settings.tell)
    set_environment()
    return location


def refuse(problem: Problem | None) -> None:
    """Raise a problem as an `EngineStartError`, if there is one."""
    if problem:
        raise EngineStartError(f"vLLM cannot start here: {problem.what}", problem.remedy)


def first_problem(
    machine: Machine, engine_args: Mapping[str, Any], holders: list[Holder]
) -> Problem | None:
    """Return the first thing that would keep vLLM from starting on this machine."""
    if problem := build_problem(machine.builds):
        return problem
    if CPU_BUILD in machine.builds or not machine.builds:
        return None  # a GPU that is not used is worth a note; a missing vLLM has its own error
    if problem := mismatch(machine):
        return problem
    if not machine.has_gpu:
        return None  # a build for other hardware, which knows best
    missing = [] if _compiled_before() else compiler_problems()
    return (
        driver_problem(machine)
        or next(iter(missing), None)
        or memory_problem(
            machine.gpus[: _cards(engine_args)],
            holders,
            float(engine_args.get("gpu_memory_utilization", UTILIZATION)),
        )
    )


def taken_meanwhile(engine_args: Mapping[str, Any]) -> Problem | None:
    """Return who holds the memory that vLLM did not get, when it did not start.

    Two commands that start together both find a free card.
    """
    machine = look()
    if not (machine.uses_gpu and machine.gpus):
        return None
    part = float(engine_args.get("gpu_memory_utilization", UTILIZATION))
    return memory_problem(machine.gpus[: _cards(engine_args)], query_holders(), part)


def _cards(engine_args: Mapping[str, Any]) -> int:
    """Return how many cards of this machine the engine takes."""
    if engine_args.get("distributed_executor_backend") == "ray":
        return 0  # they may be anywhere
    cards = 1
    for name in _PARALLEL:
        cards *= int(engine_args.get(name) or 1)
    return cards


def _compiled_before(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether Triton's cache holds its launcher, so that it needs no compiler."""
    home = Path(environ.get("TRITON_CACHE_DIR") or Path.home() / ".triton" / "cache")
    return any(home.glob("*/cuda_utils*.so"))
