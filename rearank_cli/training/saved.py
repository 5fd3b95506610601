"""Whether a training run wrote what it trained: no weights may be missing, empty or cut."""

from collections.abc import Iterator
from pathlib import Path

from rearank_cli.errors import EngineError

_HINT = "the checkpoints are whole: DeepSpeed's zero_to_fp32.py, beside them, puts weights together"


def check_saved(folder: Path, lora: bool) -> None:
    """Raise `EngineError` unless the folder has trained weights and all of them are whole.

    Weights that are spread over processes and were not gathered are written as empty tensors, as
    flat pieces (an adapter's are matrices), or not at all. A file with such tensors is removed.
    """
    pattern = "adapter_model*.safetensors" if lora else "model*.safetensors"
    files = sorted(folder.glob(pattern))
    if not files:
        raise EngineError(f"{folder}: expected the trained weights, found no {pattern}", _HINT)
    for file in files:
        shapes = dict(_shapes(file))
        broken = [name for name, shape in shapes.items() if _broken(shape, lora)]
        if broken or not shapes:
            file.unlink()
            raise EngineError(
                f"{file}: {len(broken)} of its {len(shapes)} tensors were empty or cut"
                f"{f' (first: {broken[0]})' if broken else ''}, so it is removed: "
                "the weights were still spread over processes when they were saved",
                _HINT,
            )


def _broken(shape: tuple[int, ...], lora: bool) -> bool:
    return 0 in shape or (lora and len(shape) < 2)


def _shapes(file: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as handle:
        for name in handle.keys():  # noqa: SIM118  the handle is no dictionary
            yield name, tuple(handle.get_slice(name).get_shape())
