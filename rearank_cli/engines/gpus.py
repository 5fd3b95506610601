"""NVIDIA GPUs, as device files and `nvidia-smi` show them; nothing but the standard library.

Sizes are MiB, as `nvidia-smi` prints them (a card sold with 24 GB has some 24,000 MiB). Functions
take the root of the file system, the environment or a program's output, so that any machine can
be told from text.
"""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

Run = Callable[[Sequence[str]], str]
"""Runs a program and returns what it printed; raises `OSError` when it fails or is not there."""

_FIELDS = "index,uuid,name,memory.total,memory.used,driver_version,compute_cap"
_SMI = "nvidia-smi"
_WSL_SMI = "/usr/lib/wsl/lib/nvidia-smi"  # not on PATH in every shell of WSL2
_TIMEOUT = 30.0  # seconds; without a running persistence daemon the first call takes several
_MIG = re.compile(r"MIG\s+\S*?(\d+)gb\S*\s+Device\s+(\d+):\s+\(UUID:\s+(\S+?)\)")
_NAMED = re.compile(r"\w+::")
_CARD = re.compile(r"GPU\s+\d+:.*\(UUID:\s+(\S+?)\)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A card, or a MIG instance of one.

    `total` and `used` are MiB and 0 where they are not told; `capability` is the compute
    capability, such as (9, 0), and (0, 0) where it is not told.
    """

    index: int
    uuid: str
    name: str
    total: int = 0
    used: int = 0
    driver: str = ""
    capability: tuple[int, int] = (0, 0)

    @property
    def free(self) -> int:
        """MiB that no process holds."""
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds `used` MiB of the memory of the card `uuid`.

    `command` is how it, or what started it, was typed; empty where that is not to be seen.
    """

    pid: int
    name: str
    used: int
    uuid: str
    command: str = ""


def run_program(words: Sequence[str]) -> str:
    """Return what a program printed; raise `OSError` when it is missing, fails or hangs."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{words[0]} did not answer in {_TIMEOUT:.0f} s") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
        raise OSError(lines[0])
    return done.stdout


def device_files(root: Path = Path("/")) -> list[Path]:
    """Return the files that an NVIDIA GPU has on this machine; none means that there is no GPU.

    A card shows as /dev/nvidia0 and under /proc/driver/nvidia/gpus; a MIG instance handed to a
    container as /dev/nvidia-caps; a Jetson's GPU as /dev/nvhost-gpu; WSL2 has /dev/dxg for cards of
    any maker, and NVIDIA's library beside it for NVIDIA's.
    """
    found = [
        *sorted((root / "dev").glob("nvidia[0-9]*")),
        *sorted((root / "proc/driver/nvidia/gpus").glob("*")),
        *sorted((root / "dev/nvidia-caps").glob("nvidia-cap[0-9]*")),
        *sorted((root / "dev").glob("nvhost-gpu")),
    ]
    dxg = root / "dev/dxg"
    if dxg.exists() and any((root / "usr/lib/wsl/lib").glob("libcuda.so*")):
        found.append(dxg)
    return found


def hidden(environ: Mapping[str, str]) -> bool:
    """Tell whether CUDA_VISIBLE_DEVICES hides all GPUs; unset it hides none."""
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    return wanted is not None and (wanted.split(",")[0].strip() in ("", "-1", "NoDevFiles"))


def visible(gpus: Sequence[Gpu], environ: Mapping[str, str]) -> list[Gpu]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES leaves, in its order.

    It lists indices, or the beginnings of UUIDs. As in CUDA, whatever follows a name that fits no
    GPU is left out too, and the index of a split card means its first MIG instance.
    """
    if "CUDA_VISIBLE_DEVICES" not in environ:
        return list(gpus)
    found: list[Gpu] = []
    for word in environ["CUDA_VISIBLE_DEVICES"].split(","):
        name = word.strip()
        match = [
            gpu
            for gpu in gpus
            if (str(gpu.index) == name if name.isdigit() else name and gpu.uuid.startswith(name))
        ]
        if not match:
            break
        found += match[:1]
    return found


def parse_gpus(text: str) -> list[Gpu]:
    """Return the cards in the output of `nvidia-smi --query-gpu` for our fields, as bare CSV.

    Where a card does not tell a number (`[N/A]`, `[Insufficient Permissions]`), it is 0.
    """
    found = []
    for line in text.splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) == len(_FIELDS.split(",")) and values[0].isdigit():
            index, uuid, name, total, used, driver, capability = values
            match = re.fullmatch(r"(\d+)\.(\d+)", capability)
            found.append(
                Gpu(
                    int(index),
                    uuid,
                    name,
                    _number(total),
                    _number(used),
                    driver if driver[:1].isdigit() else "",
                    (int(match[1]), int(match[2])) if match else (0, 0),
                )
            )
    return found


def with_instances(cards: Sequence[Gpu], listing: str) -> list[Gpu]:
    """Return the cards, those that are split replaced by their MIG instances.

    `listing` is what `nvidia-smi -L` prints: a card's line, then those of its instances, whose
    profile (1g.10gb) tells the memory in GiB.
    """
    instances: dict[str, list[Gpu]] = {}
    by_uuid = {card.uuid: card for card in cards}
    card = None
    for line in listing.splitlines():
        if match := _CARD.search(line):
            card = by_uuid.get(match[1])
        elif card and (match := _MIG.search(line)):
            size = int(match[1]) * 1024
            name = f"{card.name}, MIG instance {match[2]} of {match[1]} GB"
            made = replace(card, uuid=match[3], name=name, total=size, used=0)
            instances.setdefault(card.uuid, []).append(made)
    return [gpu for card in cards for gpu in instances.get(card.uuid, [card])]


def parse_holders(text: str) -> list[Holder]:
    """Return the processes in `nvidia-smi --query-compute-apps=pid,process_name,used_memory,…`."""
    found = []
    for line in text.splitlines():
        pid, _, rest = line.partition(",")
        name, used, uuid = ([part.strip() for part in rest.rsplit(",", 2)] + ["", ""])[:3]
        if pid.strip().isdigit():
            found.append(Holder(int(pid), name, _number(used), uuid))
    return found


def _number(text: str) -> int:
    """Return the whole number at the beginning of a value, 0 where there is none."""
    match = re.match(r"\d+", text)
    return int(match[0]) if match else 0


def query_gpus(run: Run = run_program) -> list[Gpu]:
    """Return the cards and MIG instances of this machine; raise `OSError` without nvidia-smi."""
    cards = parse_gpus(_smi(run, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"))
    with suppress(OSError):
        return with_instances(cards, _smi(run, "-L"))
    return cards


def query_holders(run: Run = run_program, root: Path = Path("/")) -> list[Holder]:
    """Return the processes that hold GPU memory; in a container there may be none to see."""
    fields = "--query-compute-apps=pid,process_name,used_memory,gpu_uuid"
    try:
        found = parse_holders(_smi(run, fields, "--format=csv,noheader,nounits"))
    except OSError:
        return []
    return [replace(each, command=_command(each, root / "proc")) for each in found]


def _command(holder: Holder, proc: Path) -> str:
    """Return the command line of a process, or of what started it where it has named itself.

    In a container the process of that id may be another one, which its name tells.
    """
    with suppress(OSError, ValueError):
        words = _words(proc / str(holder.pid))
        if not words or Path(words[0]).name != Path(holder.name.split()[0]).name:
            return ""
        if _NAMED.match(words[0]):  # vLLM calls its processes VLLM::EngineCore and the like
            status = (proc / str(holder.pid) / "stat").read_text("utf-8", "replace")
            words = _words(proc / status.rpartition(")")[2].split()[1])
        return " ".join(words)
    return ""


def _words(process: Path) -> list[str]:
    """Return the command line of a process; raise `OSError` for one that is gone."""
    text = (process / "cmdline").read_bytes().decode("utf-8", "replace")
    return [word for word in text.split("\0") if word]


def _smi(run: Run, *words: str) -> str:
    try:
        return run([_SMI, *words])
    except FileNotFoundError:
        return run([_WSL_SMI, *words])


def driver_version(root: Path = Path("/")) -> str:
    """Return the version of the loaded kernel module, such as 580.65.06; empty without one."""
    with suppress(OSError):
        text = (root / "proc/driver/nvidia/version").read_text("utf-8", "replace")
        if match := re.search(r"Module.*?\s(\d+\.\d+(?:\.\d+)?)\s", text):
            return match[1]
    return ""
