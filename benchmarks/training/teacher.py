"""A teacher's scores for lists: how near a bi-encoder finds query and passage (their cosine).

`python -m benchmarks.training.teacher FOLDER LISTS > teacher.trec` reads lists of `rearank augment
--objective likelihood` and writes a run that `rearank augment --teacher` takes. FOLDER holds a
small BERT as transformers writes it, with mean pooling, such as gte-small or all-MiniLM-L6-v2; or
the same as ONNX, which is turned into one first (`--onnx MODEL.onnx`, needs the package onnx).
"""

import argparse
import json
from pathlib import Path
from typing import Any

TOKENS, TOGETHER, LISTS = 200, 32, 50
"""The longest text in tokens, texts in one pass, lists whose passages are read together."""


class Teacher:
    """Embeds texts, each once."""

    def __init__(self, folder: Path) -> None:
        """Load the model in the precision that this machine is quick in."""
        import torch
        from transformers import AutoModel, AutoTokenizer

        from rearank_cli.engines.machine import cpu_has_bfloat16

        kind = torch.bfloat16 if cpu_has_bfloat16() else torch.float32
        self._model = AutoModel.from_pretrained(folder, dtype=kind, add_pooling_layer=False).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._known: dict[str, Any] = {}

    def read(self, texts: set[str]) -> None:
        """Embed the texts that are not known yet, those of like length together."""
        import torch

        new = sorted(texts - self._known.keys(), key=len)
        for start in range(0, len(new), TOGETHER):
            part = new[start : start + TOGETHER]
            encoded = self._tokenizer(
                part, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
            )
            with torch.inference_mode():
                states = self._model(**encoded).last_hidden_state.float()
            seen = encoded["attention_mask"][..., None]
            means = (states * seen).sum(1) / seen.sum(1)
            self._known.update(zip(part, torch.nn.functional.normalize(means, dim=1), strict=True))

    def score(self, query: str, passage: str) -> float:
        """Return the cosine of two texts that were read."""
        return float(self._known[query] @ self._known[passage])


def converted(onnx_file: Path, folder: Path) -> None:
    """Write the weights of a BERT in ONNX as safetensors, beside the other files of its folder."""
    import onnx
    from onnx import numpy_helper
    from safetensors.numpy import save_file

    graph = onnx.load(onnx_file).graph
    held = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    weights = {
        name: array
        for name, array in held.items()
        if not name.startswith(("onnx::", "/")) and array.dtype.kind == "f" and array.ndim
    }
    for node in graph.node:
        # Matrices have lost their names; the operation's says which layer's it is.
        if node.op_type == "MatMul" and node.input[1] in held:
            name = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            weights[f"{name}.weight"] = held[node.input[1]].T.copy()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def main() -> None:
    """Print one line of a run for every passage of every list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("lists", type=Path)
    parser.add_argument("--onnx", type=Path)
    chosen = parser.parse_args()
    if chosen.onnx and not (chosen.folder / "model.safetensors").is_file():
        converted(chosen.onnx, chosen.folder)
    teacher = Teacher(chosen.folder)
    lines = chosen.lists.read_text("utf-8").splitlines()
    for start in range(0, len(lines), LISTS):
        lists = [json.loads(line) for line in lines[start : start + LISTS]]
        teacher.read({text for each in lists for text in (each["query"], *each["passages"])})
        for each in lists:
            found = {
                doc_id: teacher.score(each["query"], passage)
                for doc_id, passage in zip(each["doc_ids"], each["passages"], strict=True)
            }
            ranked = sorted(found.items(), key=lambda item: -item[1])
            for rank, (doc_id, score) in enumerate(ranked, 1):
                print(each["query_id"], "Q0", doc_id, rank, f"{score:.4f}", "teacher")


if __name__ == "__main__":
    main()
