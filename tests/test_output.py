"""Where the output of an engine goes, with processes that are no engine but talk as much."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT

PROGRAM = """
import logging, os, subprocess, sys
from rearank_cli.cli.redirect import EngineOutput
output = EngineOutput({verbose})
output.begin()
print("the run, first half,", end=" ")  # still in our buffer when the engine is forked
ours = sys.stdout
if not os.fork():
    print("print")
    print("old print", file=ours)
    sys.stderr.write("stderr\\n")
    os.write(1, b"descriptor 1\\n")
    os.write(2, b"descriptor 2\\n")
    os.system("echo a shell; echo its stderr >&2")
    sys.exit(3)  # in order: what Python still holds is flushed
assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
print("second half")
print("a message", file=sys.stderr)
"""
SAID = ["print", "old print", "stderr", "descriptor 1", "descriptor 2", "a shell", "its stderr"]


def run(folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "REARANK_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def said(text: str) -> set[str]:
    """Return which lines of the engine are in a text."""
    return set(SAID) & {line.removeprefix("the run, first half, ") for line in text.splitlines()}


def test_nothing_that_a_forked_engine_says_lands_in_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, PROGRAM.format(verbose=False))
    assert done.stdout == "the run, first half, second half\n"
    assert done.stderr == "a message\n"
    (log,) = tmp_path.glob("logs/*.log")
    assert said(log.read_text()) == set(SAID)


def test_a_verbose_engine_speaks_to_stderr(tmp_path: Path) -> None:
    done = run(tmp_path, PROGRAM.format(verbose=True))
    assert done.stdout == "the run, first half, second half\n"
    assert said(done.stderr) == set(SAID)
    assert "a message\n" in done.stderr


@pytest.mark.parametrize("start", ["os.fork() or time.sleep(600)", "subprocess.Popen(SLEEP)"])
def test_who_reads_our_run_is_not_kept_waiting_by_an_engine_that_lives_on(
    tmp_path: Path, start: str
) -> None:
    program = f"""
import os, subprocess, time
from rearank_cli.engines.guard import Guard
from rearank_cli.cli.redirect import EngineOutput
SLEEP = ["sleep", "600"]
guard, output = Guard(), EngineOutput()
output.begin()
with guard.marking():
    {start}
os.close(0)
print("the run")
"""
    # The guard ends the engine with the command; stopped, it shows what the engine itself holds.
    program += """
os.kill(guard._process.pid, 19)
print(guard._process.pid, flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "REARANK_CACHE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "the run\n"
    guard = int(process.stdout.readline())
    try:
        process.communicate(timeout=30)
    finally:
        os.kill(guard, 18)


FAKE = """
class AsyncEngineArgs:
    def __init__(self, **arguments):
        import os
        os.write(1, b"said by the engine\\n")
        raise RuntimeError("no room")

class AsyncLLM: pass
class UsageContext: pass
class LoRARequest: pass
class current_platform:
    is_cpu = staticmethod(lambda: True)
"""
MODULES = (
    *("vllm.engine.arg_utils", "vllm.lora.request", "vllm.platforms"),
    *("vllm.usage.usage_lib", "vllm.v1.engine.async_llm"),
)
LIBRARY_CALL = """
import asyncio, os, sys
from rearank_cli.cli.redirect import EngineOutput
from rearank_cli.engines.options import open_settings
from rearank_cli.errors import EngineStartError
streams, places = (sys.stdout, sys.stderr), [os.fstat(1), os.fstat(2)]
engine = open_settings("model", cache=False{options}).make()
async def start():
    try:
        await engine.open()
    except EngineStartError as error:
        print(f"{{error.message}} | {{error.hint}}")
    finally:
        await engine.close()
asyncio.run(start())
same = streams == (sys.stdout, sys.stderr) and places == [os.fstat(1), os.fstat(2)]
print("left alone" if same else "redirected")
"""


def failing_start(folder: Path, options: str) -> "subprocess.CompletedProcess[str]":
    """Start a vLLM that fails, in a process of its own."""
    for name in MODULES:
        file = folder.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        for package in file.relative_to(folder).parents[:-1]:
            (folder / package / "__init__.py").touch()
        file.write_text(FAKE)
    model = folder / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (model / name).write_text("{}")
    return subprocess.run(
        [sys.executable, "-c", LIBRARY_CALL.format(options=options)],
        env={
            **os.environ,
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "REARANK_CACHE_DIR": str(folder),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_call_of_the_library_leaves_stdout_and_stderr_alone(tmp_path: Path) -> None:
    done = failing_start(tmp_path, "")
    assert done.stdout.splitlines() == [
        "said by the engine",
        "vLLM did not start: no room | "
        "the engine's own messages are on stdout and stderr of this process",
        "left alone",
    ], done.stderr
    assert not (tmp_path / "logs").exists()


def test_an_engine_that_is_given_a_log_writes_there(tmp_path: Path) -> None:
    done = failing_start(tmp_path, ", log=EngineOutput()")
    (log,) = tmp_path.glob("logs/*.log")
    assert log.read_text() == "said by the engine\n"
    assert done.stdout.splitlines() == [
        f"vLLM did not start: no room | see {log}",
        "redirected",
    ], done.stderr


def test_nothing_is_redirected_before_an_engine_opens(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "import sys; from rearank_cli.cli.redirect import EngineOutput\n"
        "before = sys.stdout; output = EngineOutput()\n"
        "output.forget()\n"
        "print(sys.stdout is before)",
    )
    assert done.stdout == "True\n", done.stderr
    assert not (tmp_path / "logs").exists()
