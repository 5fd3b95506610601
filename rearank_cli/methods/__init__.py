"""Methods: which passages a model is shown together, and what follows from its answers.

A new method is one module with a class as `base.Method` describes it, named in `METHODS`.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.methods.base import Answer, Ask, Hit, Kind, Method, Plan, Result, Stage
from rearank_cli.methods.sliding import Sliding
from rearank_cli.methods.topdown import TopDown

METHODS: dict[str, type[Any]] = {"sliding": Sliding, "topdown": TopDown}

__all__ = [
    "METHODS",
    "Answer",
    "Ask",
    "Hit",
    "Kind",
    "Method",
    "Plan",
    "Result",
    "Stage",
    "make_method",
]


def make_method(name: str = "sliding", numbers: Mapping[str, Any] | None = None) -> Method:
    """Return a method with these numbers; those that are None keep their default.

    Raises `RearankError` for a name that there is not, a number that is not this method's, and
    numbers that cannot work.
    """
    if name not in METHODS:
        raise RearankError(f"expected `method` to be {' or '.join(METHODS)}, found {name!r}")
    made = METHODS[name]
    given = {key: value for key, value in (numbers or {}).items() if value is not None}
    known = [each.name for each in fields(made)]
    for key in given:
        if key not in known:
            raise RearankError(f"the method {name} has no {key}", hint=f"it has {', '.join(known)}")
    method: Method = made(**given)
    return method
