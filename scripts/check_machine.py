"""Say which build of vLLM fits this machine, and what is missing for it.

`python scripts/check_machine.py [gpu|cpu]` prints `gpu` or `cpu` to stdout and talks on stderr. It
exits with 1 when something is missing that would keep the GPU build from working; where the build
was named, it only warns, for the machine that installs may not be the one that computes. It runs
before anything is installed: the standard library is all that it needs.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine, look
from rearank_cli.engines.needs import (
    Problem,
    build_problem,
    compiler_problems,
    driver_problem,
)

BUILDS = {"gpu": GPU_BUILD, "cpu": CPU_BUILD}


def clash(extra: str, builds: frozenset[str]) -> Problem | None:
    """Return what is wrong when the environment holds the other build already."""
    other = builds - {BUILDS[extra]}
    if not other:
        return None
    return build_problem(builds) or Problem(
        f"this environment holds {min(other)}, and {BUILDS[extra]} would overwrite its files",
        f"make a new one: rm -rf .venv && make install ENGINE={extra}; "
        f"or keep this one: make install ENGINE={'cpu' if extra == 'gpu' else 'gpu'}",
    )


def check(asked: str, machine: Machine) -> tuple[str, list[Problem]]:
    """Return the extra to install, and what keeps it from working on this machine."""
    extra = asked or ("gpu" if machine.has_gpu else "cpu")
    if extra == "cpu":
        return extra, []
    return extra, [*filter(None, [driver_problem(machine)]), *compiler_problems()]


def main(asked: str = "") -> int:
    """Print the extra; return the exit code."""
    if asked not in ("", *BUILDS):
        print(f"error: ENGINE: expected gpu or cpu, found {asked}", file=sys.stderr)
        return 2
    machine = look()
    extra, problems = check(asked, machine)
    clashing = clash(extra, machine.builds)
    fatal = clashing is not None or (bool(problems) and not asked)
    for problem in [clashing, *problems] if clashing else problems:
        print(f"{'error' if fatal else 'warning'}: {problem.what}", file=sys.stderr)
        print(f"hint: {problem.remedy}", file=sys.stderr)
    if fatal:
        if not clashing:
            print(f"hint: to install all the same: make install ENGINE={extra}", file=sys.stderr)
        return 1
    print(extra)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
