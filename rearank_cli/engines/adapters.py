"""LoRA adapters: what one is, and whether it belongs to a model."""

import json
import struct
from importlib.resources import files
from pathlib import Path

from rearank_cli.engines.base import Model
from rearank_cli.engines.models import hub_files
from rearank_cli.engines.revision import revision
from rearank_cli.engines.weights import fetch_weights
from rearank_cli.errors import RearankError
from rearank_cli.log import note

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
_INDEX = "model.safetensors.index.json"


def resolve_adapter(folder: str, model: Model) -> tuple[Model, int]:
    """Return an adapter and its rank; raise `RearankError` unless it fits the model."""
    path = Path(folder).expanduser()
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            raise RearankError(
                f"`adapter` {folder}: not an adapter: no {name} there",
                hint="expected a folder as peft writes it",
            )
    base = Path(model.location)
    check_adapter(path, base if base.is_dir() else _with_names(model))
    return Model(folder, str(path.absolute()), revision(path)), adapter_rank(path)


def packaged(name: str) -> tuple[Model, int]:
    """Return an adapter that comes with the program, and its rank; raise where there is none."""
    folder = Path(str(files("rearank_cli").joinpath("models", name)))
    if not (folder / CONFIG).is_file():
        raise RearankError(f"expected the name of an adapter of the package, found {name!r}")
    return Model(name, str(folder), revision(folder)), adapter_rank(folder)


def _with_names(model: Model) -> Path:
    """Return a hub model's folder with the names of its tensors: an index, else the weights."""
    folder = hub_files(model.name)
    return folder if (folder / _INDEX).is_file() else Path(fetch_weights(model, {}, note))


def adapter_rank(adapter: Path) -> int:
    """Return the rank of a LoRA adapter, the largest where modules differ."""
    try:
        config = json.loads((adapter / CONFIG).read_text("utf-8"))
        return int(max([config["r"], *(config.get("rank_pattern") or {}).values()]))
    except (ValueError, KeyError, TypeError) as error:
        raise RearankError(f"{adapter / CONFIG}: expected a LoRA adapter's settings") from error


def check_adapter(adapter: Path, model: Path) -> None:
    """Raise `RearankError` unless every module that the adapter changes is in the model.

    vLLM leaves out modules that it does not know and would serve the base model in silence.
    """
    known = {name.rpartition(".")[0] for name in _model_tensors(model)}
    changed = {_module(name) for name in tensor_names(adapter / WEIGHTS)}
    strangers = sorted(changed - known)
    if strangers:
        raise RearankError(
            f"`adapter` {adapter}: was made for another model: {len(strangers)} of its "
            f"{len(changed)} modules are not in {model} (first: {strangers[0]})",
        )


def _module(tensor: str) -> str:
    """Return the module of `base_model.model.<module>.lora_A.weight`, peft's naming."""
    return tensor.removeprefix("base_model.model.").partition(".lora_")[0]


def _model_tensors(model: Path) -> set[str]:
    index = model / _INDEX
    if index.is_file():
        return set(json.loads(index.read_text("utf-8"))["weight_map"])
    return {name for file in model.glob("*.safetensors") for name in tensor_names(file)}


def tensor_names(file: Path) -> set[str]:
    """Return the names in a safetensors file: a JSON header after its length as 8 bytes."""
    try:
        with file.open("rb") as handle:
            (length,) = struct.unpack("<Q", handle.read(8))
            header = json.loads(handle.read(length))
    except (OSError, struct.error, ValueError, MemoryError, OverflowError) as error:
        raise RearankError(f"{file}: expected a safetensors file") from error
    return set(header) - {"__metadata__"}
