"""Where Anserini is."""

import importlib.util
from pathlib import Path

from rearank_cli.errors import RearankError


def anserini_jar() -> Path:
    """Return Anserini's jar inside the package pyserini, without importing that package."""
    spec = importlib.util.find_spec("pyserini")
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    jars = sorted(
        jar for folder in folders for jar in folder.glob("resources/jars/anserini-*-fatjar.jar")
    )
    if not jars:
        raise RearankError(
            "Anserini's jar was not found in the package pyserini",
            hint="pip install --force-reinstall 'pyserini>=1,<2'",
        )
    return jars[-1]
