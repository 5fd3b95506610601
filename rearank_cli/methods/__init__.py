"""Methods: which passages a model is shown together, and what follows from its answers.

A new method is one module with a class as `base.Method` describes it, named in `METHODS`.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.methods.base import Answer, Ask, Hit, Kind, Method, Plan, Result, Stage
from rearank_cli.methods.groups import Groups
from rearank_cli.methods.pointwise import Pointwise
from rearank_cli.methods.setwise import Setwise
from rearank_cli.methods.sliding import Sliding
from rearank_cli.methods.topdown import TopDown

METHODS: dict[str, type[Any]] = {
    "sliding": Sliding,
    "topdown": TopDown,
    "setwise": Setwise,
    "groups": Groups,
    "pointwise": Pointwise,
}

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
    "numbers_of",
]


def numbers_of(name: str) -> list[str]:
    """Return the names of a method's own numbers; raise `RearankError` for one there is not."""
    if name not in METHODS:
        raise RearankError(f"expected `method` to be {' or '.join(METHODS)}, found {name!r}")
    return [each.name for each in fields(METHODS[name])]


def make_method(name: str = "sliding", numbers: Mapping[str, Any] | None = None) -> Method:
    """Return a method with these numbers; those that are None keep their default.

    Raises `RearankError` for a name that there is not, a number that is not this method's, and
    numbers that cannot work.
    """
    known = numbers_of(name)
    made = METHODS[name]
    given = {key: value for key, value in (numbers or {}).items() if value is not None}
    for key in given:
        if key not in known:
            raise RearankError(f"the method {name} has no {key}", hint=f"it has {', '.join(known)}")
        _check_type(name, key, given[key], made)
    method: Method = made(**given)
    return method


def _check_type(name: str, key: str, value: Any, made: type[Any]) -> None:
    """Raise `RearankError` for a number that is none, as a file may hold it."""
    wanted = {
        "int": (int,),
        "int | None": (int,),
        "float | None": (int, float),
        "bool": (bool,),
        "str": (str,),
    }[str(getattr(made.__annotations__[key], "__name__", made.__annotations__[key]))]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise RearankError(
            f"the method {name}: expected `{key}` to be {wanted[-1].__name__}, found {value!r}"
        )
