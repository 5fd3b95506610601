"""From options to an engine that is not yet open: all checks that need nothing heavy."""

import json
from collections.abc import Sequence
from typing import Any

from rearank_cli.errors import RearankError


def parse_engine_args(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` pairs for vLLM; dashes become underscores and values are JSON if they can.

    Raises `RearankError` for anything without a key.
    """
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise RearankError(f"--engine-arg: expected key=value, found {pair!r}")
        try:
            arguments[key.replace("-", "_")] = json.loads(value)
        except json.JSONDecodeError:
            arguments[key.replace("-", "_")] = value
    return arguments
