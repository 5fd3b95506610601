"""Talk for programs: lines of JSON on stderr instead of sentences and bars.

Every line has an `event`: `message` (what would have been a line of text), `work` (downloads and
the like), `engine` (what a starting engine does), `progress` and `done` (a reranking). Their fields
are in rearank_cli/schemas/progress.schema.json.
"""

import json
import sys
from enum import StrEnum
from typing import Any

_on = False
_quiet = False


class Progress(StrEnum):
    """How a command tells how far it is."""

    AUTO = "auto"
    JSON = "json"


def switch_on() -> None:
    """Tell everything as lines of JSON from now on."""
    global _on
    _on = True


def is_on() -> bool:
    """Tell whether lines of JSON are wanted."""
    return _on


def hush(wanted: bool = True) -> None:
    """Say nothing but errors from now on."""
    global _quiet
    _quiet = wanted


def is_quiet() -> bool:
    """Tell whether nothing but errors is to be said."""
    return _quiet


def tell(event: str, **fields: Any) -> None:
    """Write one line."""
    if _quiet and fields.get("level") != "error":
        return
    sys.stderr.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
    sys.stderr.flush()
