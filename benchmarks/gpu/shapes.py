"""Models without weights: configurations of real shapes."""

import shutil
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    # Qwen2.5's published configurations; the vocabulary is padded as theirs is.
    "7B": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 32768,
    },
    "0.5B": {
        "vocab_size": 151936,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
    },
}


def write_shape(folder: Path, shape: str, tokenizer: Path) -> Path:
    """Write the configuration and the tokenizer of a model, for vLLM's `load_format="dummy"`."""
    from transformers import Qwen2Config

    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, folder / name)
    config = Qwen2Config(
        architectures=["Qwen2ForCausalLM"],
        torch_dtype="bfloat16",
        rope_theta=1_000_000.0,
        rms_norm_eps=1e-6,
        **SHAPES[shape],
    )
    config.save_pretrained(folder)
    _pretend(folder)
    return folder


def _pretend(folder: Path) -> None:
    """Write a file of weights that nobody reads: a model's folder has one."""
    import torch
    from safetensors.torch import save_file

    save_file({"unused": torch.zeros(1)}, folder / "model.safetensors")
