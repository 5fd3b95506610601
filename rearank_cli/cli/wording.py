"""How the command line says what the library says.

The library names its parameters in backticks: "expected `max_tokens` to be at least 1". Here they
become the options that a person types.
"""

import re

_PARAMETER = re.compile(r"`([a-z][a-z_]*)`")
# Parameters whose option is not their own name with dashes.
_OPTIONS = {
    "base_urls": "--base-url",
    "collection": "-d",
    "engine_args": "--engine-arg",
    "numbers": "the method's options",
}


def spelled(text: str) -> str:
    """Return a message of the library with its parameters as options."""
    return _PARAMETER.sub(_option, text)


def _option(match: re.Match[str]) -> str:
    name = match[1]
    return _OPTIONS.get(name) or f"--{name.replace('_', '-')}"
