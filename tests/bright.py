"""A BRIGHT of a few lines, in exactly the layout of its hub page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet

DOCUMENTS = [
    {"id": "pytorch/Memory Management_0.txt", "content": "Cached memory of tensors is reused."},
    {"id": "pytorch/Memory Management_1.txt", "content": "Memory that is held is not free."},
    {"id": "pytorch/Autograd_0.txt", "content": "Gradients are held until backward."},
    {"id": "leaked answer.txt", "content": "out of memory gradient loss item"},
]
LONG = [
    {"id": "pytorch/Memory Management.txt", "content": "Cached memory. Memory that is held."},
    {"id": "pytorch/Autograd.txt", "content": "Gradients are held until backward."},
]
EXAMPLE = {
    "query": "why does my loop run out of memory",
    "reasoning": "the loss keeps its graph",
    "id": "0",
    "excluded_ids": ["leaked answer.txt"],
    "gold_ids": ["pytorch/Autograd_0.txt"],
    "gold_ids_long": ["pytorch/Autograd.txt"],
    "gold_answer": "use item()",
}
OTHER = {**EXAMPLE, "id": "1", "query": "cached tensors", "excluded_ids": ["N/A"]}
REWRITTEN = "gradients are held by the loss"


def mini_bright(folder: Path, name: str = "stackoverflow") -> Path:
    """Write one set: passages, long pages, queries, and queries rewritten by two models."""
    examples = [EXAMPLE, OTHER]
    rewritten = [{**example, "query": REWRITTEN} for example in examples]
    _write(folder / "documents", name, DOCUMENTS)
    _write(folder / "long_documents", name, LONG)
    _write(folder / "examples", name, examples)
    _write(folder / "gpt4_reason", name, rewritten)
    _write(folder / "Gemini-1.0_reason", name, rewritten)
    return folder


def _write(folder: Path, name: str, rows: Sequence[Mapping[str, object]]) -> None:
    folder.mkdir(parents=True)
    path = folder / f"{name}-00000-of-00001.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
