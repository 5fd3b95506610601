"""The model that is trained: base weights, with or without a LoRA adapter."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from rearank_cli.errors import RearankError
from rearank_cli.training.precision import in_bf16
from rearank_cli.training.settings import Lora


def load_tokenizer(model: str) -> Any:
    """Return the model's tokenizer, padding on the left as generation needs it."""
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    if not tokenizer.chat_template:
        raise RearankError(
            f"{model}: the tokenizer has no chat template",
            hint="take the model's chat or instruct version",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(model: str, lora: bool, precision: str = "auto") -> Any:
    """Return the base model, its weights in bfloat16 where that loses nothing.

    Under LoRA the base is frozen, and DeepSpeed keeps its own float32 weights. A model whose own
    weights are trained stays in float32: a step of 1e-6 is smaller than bfloat16 can tell apart.
    """
    sharded = os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true"
    half = in_bf16(precision) and (lora or sharded)
    try:
        return AutoModelForCausalLM.from_pretrained(
            model, dtype=torch.bfloat16 if half else torch.float32
        )
    except (OSError, ValueError) as error:
        raise RearankError(f"`model` {model}: cannot be loaded: {error}") from error


def with_adapter(base: Any, lora: Lora, seed: int) -> Any:
    """Return the base under a new LoRA adapter; it changes nothing before it is trained."""
    layers = _layers(base, lora.first_layer)
    modules: str | list[str] = lora.modules
    if lora.modules != "all-linear":
        modules = [name.strip() for name in lora.modules.split(",")]
    elif layers:
        modules = _linear(base)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=modules,
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    try:
        return get_peft_model(base, config)
    except ValueError as error:
        raise RearankError(f"lora.modules: {error}") from error


def _layers(base: Any, first: int) -> list[int] | None:
    """Return the layers that get an adapter; None is all of them.

    No gradient goes below the first of them, so that a backward pass costs less.
    """
    count = base.config.get_text_config().num_hidden_layers
    if not 0 <= first < count:
        raise RearankError(
            f"lora.first_layer: expected 0 to {count - 1}, the model's last layer, found {first}"
        )
    return list(range(first, count)) if first else None


def _linear(base: Any) -> list[str]:
    """Return the names that linear modules have inside layers; peft wants names beside layers."""
    head = base.get_output_embeddings()
    found = {
        name.rpartition(".")[2]
        for name, module in base.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    return sorted(found)


def from_adapter(base: Any, folder: Path) -> Any:
    """Return the base under an adapter that is trained on."""
    model = PeftModel.from_pretrained(base, folder, is_trainable=True)
    # The folder has the user's name for the base; saving would look for that name on the hub.
    model.peft_config["default"].base_model_name_or_path = base.name_or_path
    return model


def without_adapter(model: Any) -> Any:
    """Return the model that an adapter is laid over, or the model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


@contextmanager
def gathered(model: Any) -> Iterator[None]:
    """Hold the trained weights whole, where ZeRO-3 has spread them over processes.

    All processes must come here, since each holds a part. Only what is trained is gathered: with
    an adapter the base stays where it is.
    """
    spread = [each for each in model.parameters() if each.requires_grad and hasattr(each, "ds_id")]
    if not spread:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(spread, modifier_rank=None):
        yield


def save(model: Any, tokenizer: Any, folder: Path, base: str) -> None:
    """Write the adapter, or the whole model, with its tokenizer.

    `base` is what the adapter's settings call the base model: the user's name for it, not the
    place where it lies on this machine.
    """
    if isinstance(model, PeftModel):
        model.save_pretrained(folder, selected_adapters=["default"])
        settings = folder / "adapter_config.json"
        data = {**json.loads(settings.read_text("utf-8")), "base_model_name_or_path": base}
        settings.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty card; ours comes later
    else:
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
