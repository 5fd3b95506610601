"""The reward as TRL's GRPOTrainer calls it: one function for each part, weighted by TRL."""

from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

from rearank_cli.training.reward import Parts, Shown, score
from rearank_cli.training.settings import Reward

RewardFunction = Callable[..., list[float | None]]


def reward_functions(
    settings: Reward, max_answer_tokens: int
) -> tuple[list[RewardFunction], list[float]]:
    """Return the parts' functions, named as the metrics call them, and their weights.

    TRL hands over the dataset's columns by name. An answer as long as `max_answer_tokens` was cut
    off by that limit.
    """

    def parts(completions: Sequence[Any], columns: dict[str, Any]) -> list[Parts]:
        return [
            score(
                completion[-1]["content"],
                Shown(grades, ideal, thinks),
                cut=len(ids) >= max_answer_tokens,
                floor=settings.floor,
                keep_ideal=settings.keep_ideal,
            )
            for completion, ids, grades, ideal, thinks in zip(
                completions,
                columns["completion_ids"],
                columns["grades"],
                columns["ideal"],
                columns["thinks"],
                strict=True,
            )
        ]

    def rank(completions: Sequence[Any], **columns: Any) -> list[float | None]:
        scored = parts(completions, columns)
        columns["log_metric"]("ndcg", mean(each.ndcg for each in scored))
        columns["log_metric"]("format", mean(each.tags * each.listed for each in scored))
        return [each.rank for each in scored]

    def tags(completions: Sequence[Any], **columns: Any) -> list[float | None]:
        return [each.tags for each in parts(completions, columns)]

    def listed(completions: Sequence[Any], **columns: Any) -> list[float | None]:
        return [each.listed for each in parts(completions, columns)]

    def recall(completions: Sequence[Any], **columns: Any) -> list[float | None]:
        return [each.recall for each in parts(completions, columns)]

    weights = [settings.rank, settings.tags, settings.listed, settings.recall]
    return [rank, tags, listed, recall], weights
