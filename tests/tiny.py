"""A model small enough to train in a test: Qwen2, two layers, random weights, and toy tasks."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

SIZE = 3
PROFILE = """passage_chars = 40
max_tokens = 24
thinks = true
[[messages]]
role = "user"
content = "{{ query }} {% for passage in passages %}[{{ loop.index }}] {{ passage }} {% endfor %}"
"""
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def answer(order: Sequence[int]) -> str:
    """A well-formed answer; identifiers from 1."""
    said = " > ".join(f"[{number}]" for number in order)
    return f"<think>well</think><answer>{said}</answer>"


def make_model(folder: Path) -> Path:
    """Write model and tokenizer; the answer format is a dozen tokens of it."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    words = ["<think>", "</think>", "<answer>", "</answer>", " > ", "well", "user", "assistant"]
    words += [f"[{number}]" for number in range(1, SIZE + 1)]
    inner.add_tokens([AddedToken(word, normalized=False) for word in words])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = _TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def write_warmup(path: Path, count: int, seed: int = 0) -> Path:
    """Well-formed answers, half of them in the order shown, the others in random ones."""
    draw = random.Random(seed)
    shown = list(range(1, SIZE + 1))
    with path.open("w", encoding="utf-8") as handle:
        for number in range(count):
            order = shown if number % 2 else draw.sample(shown, SIZE)
            completion = [{"role": "assistant", "content": answer(order)}]
            handle.write(json.dumps({**_prompt(number), "completion": completion}) + "\n")
    return path


def write_lists(path: Path, count: int) -> Path:
    """Lists whose last passage is the relevant one: the policy that helps is to put it first."""
    with path.open("w", encoding="utf-8") as handle:
        for number in range(count):
            grades = [0] * (SIZE - 1) + [1]
            row = {**_prompt(number), "grades": grades, "ideal": [1], "thinks": True}
            handle.write(json.dumps(row) + "\n")
    return path


def _prompt(number: int) -> dict[str, object]:
    query = f"q{number % 10}"
    shown = " ".join(f"[{place}] {'abc'[place - 1]}" for place in range(1, SIZE + 1))
    content = f"{query} {shown}"
    return {"prompt": [{"role": "user", "content": content}], "query": query, "query_id": query}
