"""What engine libraries are told by their environment, and what their log tells us."""

from pathlib import Path

import pytest

from rearank_cli.cli.redirect import EngineOutput
from rearank_cli.engines.environment import engine_defaults, set_environment
from rearank_cli.engines.gpus import Gpu
from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine

BLACKWELL = Machine(
    [Path("/dev/nvidia0")],
    [Gpu(0, "GPU-aa11", "NVIDIA B200", 183359, capability=(10, 0))],
    builds=frozenset({GPU_BUILD}),
)


def test_defaults_are_set_and_what_the_user_set_stands() -> None:
    environ = {"VLLM_WORKER_MULTIPROC_METHOD": "fork", "PATH": "/usr/bin"}
    set_environment(environ, "/venv/bin/python")
    assert environ["VLLM_USE_FLASHINFER_SAMPLER"] == "0"
    assert environ["VLLM_WORKER_MULTIPROC_METHOD"] == "fork"
    fresh: dict[str, str] = {}
    set_environment(fresh, "/venv/bin/python")
    assert fresh["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"


def test_programs_beside_the_interpreter_come_first_on_the_path_once() -> None:
    environ = {"PATH": "/usr/bin:/venv/bin"}
    set_environment(environ, "/venv/bin/python")
    set_environment(environ, "/venv/bin/python")
    assert environ["PATH"] == "/venv/bin:/usr/bin:/venv/bin"
    empty: dict[str, str] = {}
    set_environment(empty, "/venv/bin/python")
    assert empty["PATH"] == "/venv/bin"


def test_blackwell_without_a_toolkit_is_told_its_attention(tmp_path: Path) -> None:
    without = {"CUDA_HOME": str(tmp_path)}
    assert engine_defaults(BLACKWELL, {}, without) == {"attention_backend": "FLASH_ATTN"}
    for given in ("attention_backend", "attention_config"):
        assert engine_defaults(BLACKWELL, {given: "chosen"}, without) == {}
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.touch(0o755)
    assert engine_defaults(BLACKWELL, {}, without) == {}
    unused = Machine(BLACKWELL.devices, BLACKWELL.gpus, builds=frozenset({CPU_BUILD}))
    assert engine_defaults(unused, {}, {"CUDA_HOME": "/nowhere"}) == {}


COMPILER = """INFO loading
/tmp/tmpx/cuda_utils.c:5:10: fatal error: Python.h: No such file or directory
    5 | #include <Python.h>
compilation terminated.
(EngineCore pid=7) ERROR subprocess.CalledProcessError: Command '['/usr/bin/gcc']' returned 1
(EngineCore pid=7) ERROR torch.x.InductorError: CalledProcessError: Command '['/usr/bin/gcc']'
RuntimeError: Engine core initialization failed. See root cause above.
"""


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (COMPILER, "the compiler said: Python.h: No such file or directory"),
        ("ValueError: first\nERROR ValueError: no room\n", "the engine said: no room"),
        ("all is well\n", "see "),
    ],
)
def test_the_log_tells_the_cause(tmp_path: Path, log: str, said: str) -> None:
    output = EngineOutput()  # not begun: this process's output stays as it is
    output.log = tmp_path / "engine.log"
    output.log.write_text(log)
    assert output.advice().startswith(said)
