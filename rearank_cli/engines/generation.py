"""Answers by transformers' own generation: only what a request asks, nothing of the model's own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from rearank_cli.records import Completion, Sampling


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed here
def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    choices: Sequence[dict[str, int]] = (),
) -> list[Completion]:
    """Return what the model says after some prompts, all drawn in the same way.

    `choices` are, for each prompt, tokens by name whose log-probabilities as the first one of the
    answer are wanted. What is drawn at random depends on the prompts beside it; give one.
    """
    # Without an attention mask of our own, padding would be guessed from the ids.
    longest = max(map(len, prompts))
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([[*[pad] * (longest - len(each)), *each] for each in prompts])
    mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts])
    with plain_generation(model), torch.random.fork_rng(enabled=bool(sampling.temperature)):
        if sampling.temperature:
            torch.manual_seed(sampling.seed)
        said = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=sampling.max_tokens,
            pad_token_id=pad,
            use_cache=True,
            return_dict_in_generate=True,
            output_logits=bool(choices),
            **_drawn(sampling),
        )
    ends = _ends(model, tokenizer)
    found = [
        _completion(tokenizer, row[longest:].tolist(), len(each), ends)
        for row, each in zip(said.sequences, prompts, strict=True)
    ]
    if choices:
        scores = said.logits[0].float().log_softmax(-1)
        for at, names in enumerate(choices):
            found[at] = _with_choices(found[at], scores[at], names)
    return found


def _with_choices(found: Completion, scores: torch.Tensor, names: dict[str, int]) -> Completion:
    return replace(found, choices={name: scores[token].item() for name, token in names.items()})


def _drawn(sampling: Sampling) -> dict[str, Any]:
    """Return transformers' names for how an answer is drawn; None is its name for off."""
    penalty = {"repetition_penalty": sampling.repetition_penalty}
    if not sampling.temperature:
        return {"do_sample": False, **penalty}
    return {
        "do_sample": True,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p or None,
        **penalty,
    }


def _completion(tokenizer: Any, row: list[int], prompt_tokens: int, ends: set[int]) -> Completion:
    stop = next((index for index, token in enumerate(row) if token in ends), None)
    said = row if stop is None else row[:stop]
    return Completion(
        text=tokenizer.decode(said, skip_special_tokens=True),
        finish_reason="length" if stop is None else "stop",
        prompt_tokens=prompt_tokens,
        completion_tokens=len(said),
    )


def _ends(model: Any, tokenizer: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    found = set(ends) if isinstance(ends, list) else {ends}
    return (found | {tokenizer.eos_token_id}) - {None}


@contextmanager
def plain_generation(model: Any) -> Iterator[None]:
    """Let a model generate by what it is asked alone, then put its generation config back.

    What a request leaves unsaid, transformers takes from the model's generation_config.json: a
    penalty, beams, a bias. Only the tokens that begin, end and pad texts are kept of it.
    """
    from transformers import GenerationConfig

    # A model under an adapter has a config of its own, and so has the model below.
    below = model.get_base_model() if hasattr(model, "get_base_model") else model
    holders = [model, below]
    before = [holder.generation_config for holder in holders]
    own = before[0]
    plain = GenerationConfig(
        bos_token_id=own.bos_token_id,
        eos_token_id=own.eos_token_id,
        pad_token_id=own.pad_token_id,
    )
    for holder in holders:
        holder.generation_config = plain
    try:
        yield
    finally:
        for holder, config in zip(holders, before, strict=True):
            holder.generation_config = config
