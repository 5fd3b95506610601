"""Scoring the labelled tokens alone where there is no GPU.

TRL's fused head (1.16) leaves out unlabelled tokens on GPUs only; elsewhere it multiplies every
token of the prompt with the vocabulary, in float32, which is half of the time of a small model.
"""

from functools import wraps
from types import MethodType
from typing import Any

import torch
from trl.trainer.utils import FusedCausalLMOutput

_IGNORED = -100
# Models that change their logits once more; for these TRL's own head stays.
_CHANGES = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier")


def score_labels_only(model: Any, temperature: float = 1.0) -> bool:
    """Replace TRL's fused head of a causal model by one that scores labelled tokens alone.

    `model` is without its adapter's wrapper and was given TRL's head already. The values are those
    of TRL's head: log-probabilities under logits divided by `temperature`, entropy, and whether
    the label is the likeliest token; (batch, length - 1), 0 where there is no label. Returns
    whether it was replaced.
    """
    config = model.config.get_text_config()
    if any(getattr(config, name, None) is not None for name in (*_CHANGES, "logits_scaling")):
        return False
    plain = model.forward

    @wraps(type(model).forward)  # generation looks at the signature
    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head or "shift_labels" in kwargs or kwargs.get("output_router_logits"):
            return plain(*args, fused_lm_head=fused_lm_head, **kwargs)
        labels = kwargs.pop("labels")[:, 1:]
        count = kwargs.pop("num_items_in_batch", None)
        hidden = self.base_model(*args, **{**kwargs, "use_cache": False}).last_hidden_state
        labelled = labels != _IGNORED
        logits = self.get_output_embeddings()(hidden[:, :-1][labelled]).float() / temperature
        targets = labels[labelled]
        logarithms = logits.log_softmax(-1)
        chosen = logarithms.gather(-1, targets[:, None])[:, 0]
        with torch.no_grad():
            entropy = -(logarithms.exp() * logarithms).sum(-1)
            top = logits.argmax(-1) == targets
        log_probs = _spread(chosen, labelled)
        return FusedCausalLMOutput(
            loss=-log_probs.sum() / (labelled.sum().clamp(min=1) if count is None else count),
            log_probs=log_probs,
            entropy=_spread(entropy, labelled),
            is_top1=_spread(top, labelled),
            label_mask=labelled,
        )

    model.forward = MethodType(forward, model)
    return True


def _spread(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return values.new_zeros(places.shape).masked_scatter(places, values)
