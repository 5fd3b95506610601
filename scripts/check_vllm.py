"""Compare our use of vLLM with its sources: `python scripts/check_vllm.py [WHEEL|FOLDER …]`.

Without arguments the oldest and the newest wheel that pyproject.toml allows are downloaded, read
and removed; they have some 300 MB each. Nothing of vLLM is imported or run: sources are read as
syntax trees, so neither a GPU nor its libraries are needed. Exits with 1 when a name, an argument
or a field that we use is not there.

What we use is read from our own sources: imports, arguments of what was imported, attributes of
the engine. What cannot be seen there, because an object comes without its type, is in `FIELDS`.
"""

import ast
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from vllm_sources import Sources, members, parameters

from rearank_cli.engines.base import OPERATIONAL
from rearank_cli.engines.environment import SETTINGS

ENGINE_ARGS = "vllm.engine.arg_utils.AsyncEngineArgs"
# The attribute of our engine that holds vLLM's.
OBJECTS = {"_llm": "vllm.v1.engine.async_llm.AsyncLLM"}
FIELDS = {
    "vllm.outputs.RequestOutput": ["outputs", "prompt_token_ids"],
    "vllm.outputs.CompletionOutput": ["text", "token_ids", "finish_reason"],
    "vllm.config.VllmConfig": ["model_config"],
    "vllm.config.ModelConfig": ["max_model_len"],
    "vllm.v1.attention.backends.registry.AttentionBackendEnum": ["FLASH_ATTN"],
    ENGINE_ARGS: [
        *sorted(OPERATIONAL),
        *["attention_backend", "dtype", "max_lora_rank", "max_model_len", "quantization"],
    ],
}


@dataclass(frozen=True, order=True)
class Use:
    """Something of vLLM that we use: a `name` by its whole path, and what of it.

    `member` is an attribute or method, `arguments` are keywords of a call of it, and
    `positional` is how many arguments come before those.
    """

    name: str
    member: str = ""
    arguments: tuple[str, ...] = ()
    positional: int = 0


def missing(use: Use, sources: Sources) -> list[str]:
    """Return what of a use is not in vLLM's sources, as lines for a person."""
    module, _, name = use.name.rpartition(".")
    if sources.find(module, name) is None and sources.module(use.name) is None:
        return [f"{use.name}: not there"]
    classes = list(sources.classes(module, name))
    if not classes:
        return []  # a function or a value: that it is there is all that can be seen
    whole = f"{use.name}.{use.member}" if use.member else use.name
    if use.member and use.member not in members(classes):
        return [f"{use.name}: no {use.member}"]
    if not use.arguments and not use.positional:
        return []
    first, named = parameters(classes, use.member or "__init__")
    lines = [f"{whole}: no {each}" for each in use.arguments if named and each not in named]
    if len(first) < use.positional:
        lines.append(f"{whole}: {use.positional} arguments by place, it takes {len(first)}")
    return lines


@dataclass
class Reader(ast.NodeVisitor):
    """Collects the uses of vLLM in one of our modules."""

    uses: set[Use] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    dicts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Note what is imported from vLLM, and under which name."""
        if node.module and node.module.split(".")[0] == "vllm":
            for alias in node.names:
                self.names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                self.uses.add(Use(f"{node.module}.{alias.name}"))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Note the keys of a dict that is going to be handed on as keywords."""
        self._keys([node.target], node.value)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Do the same for a dict without a type."""
        self._keys(node.targets, node.value)
        self.generic_visit(node)

    def _keys(self, targets: Sequence[ast.expr], value: ast.expr | None) -> None:
        if isinstance(value, ast.Dict) and isinstance(targets[0], ast.Name):
            keys = [key.value for key in value.keys if isinstance(key, ast.Constant)]
            self.dicts[targets[0].id] = tuple(str(key) for key in keys)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note an attribute of something imported, or of the engine."""
        if owner := self._owner(node.value):
            self.uses.add(Use(owner, node.attr))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Note the keywords of a call of something imported, or of one of its methods."""
        owner, member = self._owner(node.func), ""
        if isinstance(node.func, ast.Attribute) and not owner:
            owner, member = self._owner(node.func.value), node.func.attr
        if owner:
            words = [keyword.arg for keyword in node.keywords if keyword.arg]
            for keyword in node.keywords:
                if keyword.arg is None and isinstance(keyword.value, ast.Name):
                    words += self.dicts.get(keyword.value.id, ())
            self.uses.add(Use(owner, member, tuple(words), len(node.args)))
        self.generic_visit(node)

    def _owner(self, node: ast.expr) -> str | None:
        """Return the whole name of something of vLLM's."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return OBJECTS.get(node.attr) if node.value.id == "self" else None
        return None


def our_uses(files: Sequence[Path]) -> list[Use]:
    """Return all that our modules use of vLLM, with what cannot be seen in them."""
    uses: set[Use] = set()
    for file in files:
        reader = Reader()
        reader.visit(ast.parse(file.read_text("utf-8")))
        uses |= reader.uses
    uses |= {Use(name, member) for name, members in FIELDS.items() for member in members}
    return sorted(uses)


def check(sources: Sources, uses: Sequence[Use], settings: Sequence[str]) -> list[str]:
    """Return what is missing in vLLM's sources, of names and of environment variables."""
    lines = [line for use in uses for line in missing(use, sources)]
    tree = sources.module("vllm.envs") or ast.Module([], [])
    known = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return lines + [f"vllm.envs: no {name}" for name in settings if name not in known]


def allowed(pyproject: str) -> tuple[str, str]:
    """Return the requirements for the oldest and for the newest vLLM of the extra `gpu`."""
    extra = tomllib.loads(pyproject)["project"]["optional-dependencies"]["gpu"]
    line = next(each for each in extra if re.match(r"vllm\b", each))
    lowest = re.search(r">=\s*([\d.]+)", line)
    if not lowest or "<" not in line:
        raise SystemExit(f"pyproject.toml: expected vllm>=…,<… in the extra gpu, found {line}")
    return f"vllm=={lowest[1]}", line


def download(requirement: str, folder: Path) -> Path:
    """Download one wheel into a folder of its own and return it."""
    words = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *words, requirement], check=True)
    return next(folder.glob("*.whl"))


def main(places: Sequence[str]) -> int:
    """Check every place; return the exit code."""
    uses = our_uses(sorted((ROOT / "rearank_cli").rglob("*.py")))
    settings = [name for name in SETTINGS if name.startswith("VLLM_")]
    with tempfile.TemporaryDirectory() as scratch:
        found = [Path(place) for place in places]
        if not found:
            for end, requirement in zip(("old", "new"), allowed_here(), strict=True):
                print(f"== downloading {requirement}")
                found.append(download(requirement, Path(scratch, end)))
        failed = False
        for place in found:
            lines = check(Sources(place), uses, settings)
            failed = failed or bool(lines)
            print(
                f"{place.name}: {len(uses)} uses and {len(settings)} settings, "
                + (f"{len(lines)} missing" if lines else "all there")
            )
            print("".join(f"  {line}\n" for line in lines), end="")
    return int(failed)


def allowed_here() -> tuple[str, str]:
    """Return the two ends of the range in our own pyproject.toml."""
    return allowed((ROOT / "pyproject.toml").read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
