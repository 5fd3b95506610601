"""How the command line says what the library says.

The library names its parameters in backticks, with a value where one is meant: "expected
`max_tokens` to be at least 1", "use `cache=False`". Here they become what a person types.
"""

import re

_PARAMETER = re.compile(r"`([a-z][a-z_]*)(?:=([^`]*))?`")
# Parameters whose option is not their own name with dashes.
_OPTIONS = {
    "base_urls": "--base-url",
    "collection": "-d",
    "engine_args": "--engine-arg",
    "engine_name": "--engine",
    "numbers": "the method's options",
    "output": "-o",
    "rerank_urls": "--rerank-url",
    "server_args": "--server-arg",
}


def spelled(text: str) -> str:
    """Return a message of the library with its parameters as options.

    `` `name=value` `` becomes the option with its value, and a switch that is off `--no-name`.
    """
    return _PARAMETER.sub(_option, text)


def _option(match: re.Match[str]) -> str:
    name, value = match.groups()
    dashed = name.replace("_", "-")
    if value == "False":
        return f"--no-{dashed}"
    option = _OPTIONS.get(name) or f"--{dashed}"
    return f"{option} {value}" if value else option
