"""Convert a GGUF file to a folder that vLLM loads: `python -m rearank_cli.engines.convert`."""

import sys
from pathlib import Path


def convert(source: Path, target: Path) -> None:
    """Write the model and tokenizer of a GGUF file to `target`, with bfloat16 weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    found = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    model = AutoModelForCausalLM.from_pretrained(
        **found, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(**found).save_pretrained(target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
