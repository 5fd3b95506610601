"""Which prebuilt index holds the documents of a dataset: `prebuilt.toml`, applied."""

import re
import tomllib
from functools import cache
from importlib.resources import files


def matching_index(dataset: str) -> str | None:
    """Return the name of the prebuilt index of a dataset's documents, if there is one."""
    for pattern, index in _rules():
        found = pattern.fullmatch(dataset)
        if found:
            return found.expand(index) or None
    return None


@cache
def _rules() -> list[tuple[re.Pattern[str], str]]:
    text = (files("rearank_cli.collection") / "prebuilt.toml").read_text(encoding="utf-8")
    return [(re.compile(rule["id"]), rule["index"]) for rule in tomllib.loads(text)["rule"]]
