"""The mean log-probability of queries after passages, with gradients, and the loss on lists of it.

What all prompts begin with (exemplars) is computed once for all passages that are scored together.
"""

from collections.abc import Sequence
from typing import Any

import torch

from rearank_cli.engines.continuations import WORTH_SHARING, Pair, common, shares
from rearank_cli.engines.splitting import split
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.recipes.text import Cleaner
from rearank_cli.training import policy
from rearank_cli.training.settings import Likelihood

# Texts in one forward pass, of like length so that little is padded.
_TOGETHER = 16


class Likelihoods:
    """Scores lists with a model under training, on the model's own device."""

    def __init__(self, model: Any, tokenizer: Any, recipe: Recipe) -> None:
        """Take a causal language model, with an adapter or without."""
        self._model = model
        self._causal = policy.without_adapter(model)
        self._head = self._causal.get_output_embeddings()
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._cleaner = Cleaner(tuple(tokenizer.get_added_vocab()))
        self._shares = shares(model)

    def pair(self, query: str, passage: str) -> Pair:
        """Return the tokens of a passage's prompt and of the query behind it."""
        limit = self._recipe.passage_chars
        shown = self._cleaner.clean(passage, limit)
        found = split(self._tokenizer, self._recipe.request(self._cleaner.clean(query), [shown]))
        return Pair(found.ids[: found.start], found.ids[found.start :])

    def means(self, pairs: Sequence[Pair]) -> torch.Tensor:
        """Return the mean natural log-probability of every continuation's tokens."""
        shared = common(*(pair.prompt[:-1] for pair in pairs)) if self._shares else 0
        shared = shared if shared >= WORTH_SHARING else 0
        before = self._prefix(pairs[0].prompt[:shared]) if shared else []
        order = sorted(range(len(pairs)), key=lambda number: sum(map(len, pairs[number])))
        found: list[torch.Tensor] = []
        for start in range(0, len(order), _TOGETHER):
            part = [pairs[number] for number in order[start : start + _TOGETHER]]
            found.append(self._part(part, before, shared))
        means = torch.cat(found)
        places = torch.empty(len(order), dtype=torch.long)
        places[torch.tensor(order)] = torch.arange(len(order))
        return means[places.to(means.device)]

    def _prefix(self, ids: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the keys and values of what all texts begin with, layer by layer."""
        cache = _cache([])
        there = torch.tensor([list(ids)], device=self._model.device)
        self._hidden(input_ids=there, past_key_values=cache, use_cache=True)
        return [(layer.keys, layer.values) for layer in cache.layers]

    def _part(self, pairs: Sequence[Pair], before: Sequence[Any], shared: int) -> torch.Tensor:
        """Return the means of some pairs, padded on the left: all continuations end alike."""
        texts = [(pair.prompt + pair.continuation)[shared:] for pair in pairs]
        lengths = torch.tensor([len(text) - 1 for text in texts])
        longest = int(lengths.max())
        ids = torch.tensor([[0] * (longest + 1 - len(text)) + list(text) for text in texts])
        places = torch.arange(longest) - (longest - lengths)[:, None]
        seen = torch.cat([torch.ones(len(texts), shared), places >= 0], dim=1).long()
        device = self._model.device
        layers = [
            (keys.expand(len(texts), -1, -1, -1), values.expand(len(texts), -1, -1, -1))
            for keys, values in before
        ]
        hidden = self._hidden(
            input_ids=ids[:, :-1].to(device),
            attention_mask=seen.to(device),
            position_ids=(places.clamp(min=0) + shared).to(device),
            past_key_values=_cache(layers) if layers else None,
            use_cache=bool(layers),
        )
        sizes = torch.tensor([len(pair.continuation) for pair in pairs])
        rows = torch.arange(len(pairs)).repeat_interleave(sizes).to(device)
        columns = torch.cat([torch.arange(longest - size, longest) for size in sizes.tolist()])
        # One matrix of the tokens that count: a slice of the batch would have the head's weights
        # copied for every text.
        logits = self._head(hidden[rows, columns.to(device)]).float()
        wanted = ids[:, 1:].to(device)[rows, columns.to(device)]
        chosen = logits.gather(-1, wanted[:, None])[:, 0] - logits.logsumexp(-1)
        sums = chosen.new_zeros(len(pairs)).index_add(0, rows, chosen)
        return sums / sizes.to(device)

    def _hidden(self, **given: Any) -> torch.Tensor:
        """Return the last layer's states, before the head."""
        found: torch.Tensor = self._causal.base_model(**given).last_hidden_state
        return found


def _cache(layers: Sequence[Any]) -> Any:
    from transformers import DynamicCache

    return DynamicCache(layers) if layers else DynamicCache()


def targets(
    grades: Sequence[int], teacher: Sequence[float] | None, how: Likelihood
) -> torch.Tensor:
    """Return what a list's scores should be proportional to, as probabilities.

    The grades' share and, where there are a teacher's scores, the softmax of these divided by
    `temperature`, which counts `teacher`.
    """
    hard = torch.tensor([max(grade, 0) for grade in grades], dtype=torch.float32)
    if hard.sum():
        hard = hard / hard.sum()
    if teacher is None:
        return hard
    soft = (torch.tensor(teacher) / how.temperature).softmax(0)
    weight = how.teacher if hard.sum() else 1.0
    return weight * soft + (1 - weight) * hard


def loss(means: torch.Tensor, wanted: torch.Tensor, how: Likelihood) -> torch.Tensor:
    """Return the cross-entropy between the wanted shares and the softmax of `scale` x the means.

    What is added, `imitation` x the negative means of what is wanted, is the loss of a language
    model: by contrast alone queries can become less likely after every passage.
    """
    aim = wanted.to(means.device)
    return -(aim * ((how.scale * means).log_softmax(0) + how.imitation * means)).sum()
