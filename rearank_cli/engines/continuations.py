"""The likelihood of texts behind prompts, on transformers: no token is computed twice.

Three things are shared. What all prompts begin with (exemplars, an instruction) is computed once
and kept; a prompt with many continuations (a passage for many queries) is computed once; and the
model's head, which for a small model is a fifth of the work, sees the continuations alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

# A common beginning of fewer tokens than this is not worth a pass of its own.
WORTH_SHARING = 16
# Prompts in one pass, and continuations in one pass.
PROMPTS = 16
CONTINUATIONS = 32

_Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""The keys and values of every layer: batch, heads, tokens, size of a head."""


class Pair(NamedTuple):
    """The tokens of a prompt, at least one, and of what is put behind it, at least one."""

    prompt: tuple[int, ...]
    continuation: tuple[int, ...]


class Continuations:
    """Computes log-probabilities of continuations with one model, on the model's own device."""

    def __init__(self, model: Any, pad: int = 0) -> None:
        """Take a causal language model in evaluation mode; `pad` is any token."""
        self._model = model
        self._pad = pad
        self._kept: tuple[tuple[int, ...], _Layers] = ((), [])
        self._shares = shares(model)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not typed here
    def logprobs(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """Return the natural log-probabilities of every continuation's tokens."""
        if not self._shares:
            return self._whole(pairs)
        found: dict[int, list[float]] = {}
        users: dict[tuple[int, ...], list[int]] = {}
        for number, pair in enumerate(pairs):
            users.setdefault(pair.prompt, []).append(number)
        prompts = sorted(users, key=lambda prompt: (len(prompt), prompt))
        # The last token of a prompt predicts the first of its continuation, and goes with it.
        shared = self._shared([prompt[:-1] for prompt in prompts])
        for some in _parts(prompts, PROMPTS):
            layers, lengths = self._prompts([prompt[:-1] for prompt in some], shared)
            asked = [(row, number) for row, prompt in enumerate(some) for number in users[prompt]]
            asked.sort(key=lambda each: len(pairs[each[1]].continuation))
            for part in _parts(asked, CONTINUATIONS):
                rows = torch.tensor([row for row, _ in part])
                texts = [
                    pairs[number].prompt[-1:] + pairs[number].continuation for _, number in part
                ]
                scores = self._behind(layers, rows, lengths[rows], texts)
                found.update(zip((number for _, number in part), scores, strict=True))
        return [found[number] for number in range(len(pairs))]

    def _shared(self, prompts: Sequence[tuple[int, ...]]) -> int:
        """Return how many first tokens of all prompts are kept, after keeping them if need be."""
        found = common(prompts[0], prompts[-1]) if len(prompts) == 1 else common(*prompts)
        kept = min(common(self._kept[0], prompt) for prompt in prompts)
        if len(prompts) == 1 or found - kept < WORTH_SHARING:
            return kept if kept >= WORTH_SHARING else 0
        ids = prompts[0][:found]
        self._kept = (ids, self._forward(torch.tensor([ids])))
        return found

    def _prompts(
        self, prompts: Sequence[tuple[int, ...]], shared: int
    ) -> tuple[_Layers, torch.Tensor]:
        """Return the keys and values of prompts, padded on the right, and their lengths."""
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        rests = [prompt[shared:] for prompt in prompts]
        before = [
            (
                keys[:, :, :shared].expand(len(prompts), -1, -1, -1),
                values[:, :, :shared].expand(len(prompts), -1, -1, -1),
            )
            for keys, values in (self._kept[1] if shared else [])
        ]
        if not max(map(len, rests)):
            return before, lengths
        # What is padded comes after all that is not, and nothing sees what comes after it.
        return self._forward(self._padded(rests), before), lengths

    def _forward(self, ids: torch.Tensor, before: _Layers | None = None) -> _Layers:
        cache = self._cache(before or [])
        self._model(
            input_ids=ids.to(self._model.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return [(layer.keys, layer.values) for layer in cache.layers]

    def _behind(
        self, layers: _Layers, rows: torch.Tensor, lengths: torch.Tensor, texts: Sequence[Any]
    ) -> list[list[float]]:
        """Return the log-probabilities of all but the first token of texts behind some prompts."""
        ids = self._padded(texts)
        before = layers[0][0].shape[2] if layers else 0
        device = self._model.device
        rows_there = rows.to(device)
        cache = self._cache([(keys[rows_there], values[rows_there]) for keys, values in layers])
        places = torch.arange(before + ids.shape[1] - 1)
        seen = (places < lengths[:, None]) | (places >= before)
        logits = self._model(
            input_ids=ids[:, :-1].to(device),
            attention_mask=seen.long().to(device),
            position_ids=(lengths[:, None] + torch.arange(ids.shape[1] - 1)).to(device),
            past_key_values=cache,
            use_cache=True,
        ).logits
        return _read(logits, ids[:, 1:].to(device), [len(text) - 1 for text in texts])

    def _whole(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """Return the same, one whole text after another: for models whose layers keep less."""
        found = []
        for prompt, continuation in pairs:
            ids = torch.tensor([prompt + continuation]).to(self._model.device)
            logits = self._model(
                input_ids=ids[:, :-1], use_cache=False, logits_to_keep=len(continuation)
            ).logits
            found += _read(logits, ids[:, -len(continuation) :], [len(continuation)])
        return found

    def _padded(self, texts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        longest = max(map(len, texts))
        return torch.tensor([[*text, *[self._pad] * (longest - len(text))] for text in texts])

    def _cache(self, layers: _Layers) -> Any:
        from transformers import DynamicCache

        return DynamicCache(layers) if layers else DynamicCache()


def shares(model: Any) -> bool:
    """Tell whether keys and values can be cut and repeated: where every layer keeps all of them."""
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    return kinds <= {"full_attention"}


def _read(logits: torch.Tensor, ids: torch.Tensor, lengths: Sequence[int]) -> list[list[float]]:
    logits = logits.float()
    chosen = logits.gather(-1, ids[..., None])[..., 0] - logits.logsumexp(-1)
    return [row[:length] for row, length in zip(chosen.tolist(), lengths, strict=True)]


def _parts(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (things[start : start + size] for start in range(0, len(things), size))


def common(*texts: tuple[int, ...]) -> int:
    """Return how many first tokens all texts have in common."""
    count = 0
    for tokens in zip(*texts, strict=False):
        if len(set(tokens)) > 1:
            break
        count += 1
    return count
