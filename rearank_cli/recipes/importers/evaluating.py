"""A very small part of Python, evaluated over its syntax: enough for functions that build prompts.

No code is compiled or run, no name of Python's own is reachable, and no attribute is looked up:
calls go to the functions of the same file and to the few methods named here. Anything else is
refused with the line where it stands.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from rearank_cli.errors import RearankError

_STEPS = 100_000
_DEPTH = 20
_SIZE = 1_000_000


class Count(int):
    """The number of passages, told from other numbers."""


class Words(list[str]):
    """The words of a text; a slice of them cuts it."""


class _Return(Exception):  # noqa: N818  a way out, not an error
    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass
class Evaluator:
    """Calls functions of a Python file.

    `show` says how a number is written into a text. `cuts` are the cuts of passages that were
    seen: unit and size.
    """

    name: str
    functions: Mapping[str, ast.FunctionDef]
    is_passage: Callable[[str], bool]
    show: Callable[[int], str] = str
    cuts: set[tuple[str, int]] = field(default_factory=set)
    _steps: int = 0
    _depth: int = 0

    def refuse(self, node: ast.AST, why: str) -> NoReturn:
        """Raise `RearankError` naming the line."""
        line = getattr(node, "lineno", 0)
        raise RearankError(
            f"{self.name}:{line}: cannot be imported: {why}",
            hint="only constants, f-strings, sums of texts and lists, one loop over the passages, "
            "a list's append, and slices that cut are read; nothing is run",
        )

    def call(self, function: ast.FunctionDef, arguments: Mapping[str, Any]) -> Any:
        """Return what a function returns for these arguments; the others have their defaults."""
        self._depth += 1
        if self._depth > _DEPTH:
            self.refuse(function, "functions that call each other too deeply")
        names = [each.arg for each in function.args.args]
        late = names[len(names) - len(function.args.defaults) :]
        defaults = dict(zip(late, function.args.defaults, strict=True))
        scope: dict[str, Any] = {}
        for name in names:
            if name in arguments:
                scope[name] = arguments[name]
            elif name in defaults:
                scope[name] = self.value(defaults[name], {})
            else:
                self.refuse(function, f"nothing is known for its parameter {name!r}")
        try:
            self._body(function.body, scope)
        except _Return as done:
            return done.value
        finally:
            self._depth -= 1
        return None

    def _body(self, statements: list[ast.stmt], scope: dict[str, Any]) -> None:
        for each in statements:
            self._steps += 1
            if self._steps > _STEPS:
                self.refuse(each, "too many steps")
            self._statement(each, scope)

    def _statement(  # noqa: C901  one case for each statement that there is
        self, node: ast.stmt, scope: dict[str, Any]
    ) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                scope[name] = self.value(value, scope)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                scope[name] = self.value(value, scope)
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value) if (
                name in scope
            ):
                scope[name] = self._sum(node, scope[name], self.value(value, scope))
            case ast.For(target=target, iter=things, body=body, orelse=[]):
                for each in self._items(things, self.value(things, scope)):
                    self._bind(target, each, scope)
                    self._body(body, scope)
            case ast.Return(value=value):
                raise _Return(self.value(value, scope) if value else None)
            case ast.Expr(value=ast.Constant() | ast.Call() as value):
                self.value(value, scope)
            case ast.Pass():
                pass
            case _:
                self.refuse(node, f"a statement of the kind {type(node).__name__}")

    def _bind(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        match target:
            case ast.Name(id=name):
                scope[name] = value
            case ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]) if isinstance(
                value, tuple
            ):
                scope[first], scope[second] = value
            case _:
                self.refuse(target, "a loop of this kind")

    def _items(self, node: ast.expr, value: Any) -> list[Any]:
        if not isinstance(value, list | range):
            self.refuse(node, "a loop over something else than a list")
        return list(value)

    def value(  # noqa: C901  one case for each expression that there is
        self, node: ast.expr, scope: Mapping[str, Any]
    ) -> Any:
        """Return the value of an expression."""
        match node:
            case ast.Constant(value=str() | int() | None as value):
                return value
            case ast.Name(id=name):
                if name not in scope:
                    self.refuse(node, f"{name!r} is not known here")
                return scope[name]
            case ast.JoinedStr(values=parts):
                return "".join(self._formatted(part, scope) for part in parts)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._sum(node, self.value(left, scope), self.value(right, scope))
            case ast.List(elts=parts):
                return [self.value(part, scope) for part in parts]
            case ast.Dict(keys=keys, values=values) if all(keys):
                names = [self.value(key, scope) for key in keys if key]
                return dict(zip(names, (self.value(each, scope) for each in values), strict=True))
            case ast.Subscript(value=whole, slice=ast.Slice(lower, upper, None)):
                return self._slice(node, self.value(whole, scope), lower, upper, scope)
            case ast.Subscript(value=whole, slice=key):
                return self._item(node, self.value(whole, scope), self.value(key, scope))
            case ast.Call():
                return self._call(node, scope)
            case _:
                self.refuse(node, f"an expression of the kind {type(node).__name__}")

    def _formatted(self, part: ast.expr, scope: Mapping[str, Any]) -> str:
        match part:
            case ast.Constant(value=str() as text):
                return text
            case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
                return self._text(part, self.value(inner, scope))
            case _:
                self.refuse(part, "a format of a value")

    def _text(self, node: ast.AST, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return self.show(value)
        self.refuse(node, f"a {type(value).__name__} inside a text")

    def _sum(self, node: ast.AST, left: Any, right: Any) -> Any:
        for kind in (str, list, int):
            if isinstance(left, kind) and isinstance(right, kind):
                made: Any = operator.add(left, right)
                if not isinstance(made, int) and len(made) > _SIZE:
                    self.refuse(node, "a result that is too large")
                return made
        self.refuse(node, "a sum of this kind")

    def _slice(
        self,
        node: ast.expr,
        whole: Any,
        lower: ast.expr | None,
        upper: ast.expr | None,
        scope: Mapping[str, Any],
    ) -> Any:
        start = self.value(lower, scope) if lower else None
        stop = self.value(upper, scope) if upper else None
        ends = (start, stop)
        if not isinstance(whole, str | list) or not all(
            each is None or (isinstance(each, int) and each >= 0) for each in ends
        ):
            self.refuse(node, "a slice of this kind")
        text = " ".join(whole) if isinstance(whole, Words) else whole
        if isinstance(text, str) and self.is_passage(text):
            if start or not isinstance(stop, int):
                self.refuse(node, "a slice that does more than cut the end of a passage")
            self.cuts.add(("words" if isinstance(whole, Words) else "chars", stop))
        cut = whole[start:stop]
        return Words(cut) if isinstance(whole, Words) else cut

    def _item(self, node: ast.expr, whole: Any, key: Any) -> Any:
        if isinstance(whole, dict) and isinstance(key, str) and key in whole:
            return whole[key]
        if isinstance(whole, list) and isinstance(key, int) and -len(whole) <= key < len(whole):
            return whole[key]
        self.refuse(node, f"{key!r} of something that has no such part")

    def _call(self, node: ast.Call, scope: Mapping[str, Any]) -> Any:
        given = [self.value(each, scope) for each in node.args]
        named = {each.arg or "": self.value(each.value, scope) for each in node.keywords}
        match node.func:
            case ast.Name(id=name) if name in self.functions:
                function = self.functions[name]
                names = [each.arg for each in function.args.args]
                if len(given) > len(names) or not set(named) <= set(names):
                    self.refuse(node, f"a call of {name} with other parameters than it has")
                return self.call(function, {**dict(zip(names, given, strict=False)), **named})
            case ast.Name(id=name) if not named:
                return self._known(node, name, given)
            case ast.Attribute(value=owner, attr=name):
                return self._method(node, self.value(owner, scope), name, given, named)
            case _:
                self.refuse(node, "a call of this kind")

    def _known(self, node: ast.Call, name: str, given: list[Any]) -> Any:
        match name, given:
            case "len", [list() as things]:
                return Count(len(things))
            case "int", [int() | str() as number] if str(number).isdigit():
                return type(number)(number) if isinstance(number, int) else int(number)
            case "str", [value]:
                return self._text(node, value)
            case "range", [*ends] if ends and all(isinstance(each, int) for each in ends):
                return range(*ends[:2]) if len(ends) < 3 and max(ends) < _STEPS else []  # noqa: PLR2004
            case "enumerate", [list() as things, *rest] if len(rest) < 2:  # noqa: PLR2004
                return list(enumerate(things, *rest))
            case _:
                self.refuse(node, f"a call of {name}")

    def _method(
        self, node: ast.Call, owner: Any, name: str, given: list[Any], named: Mapping[str, Any]
    ) -> Any:
        match owner, name, given:
            case list(), "append", [value] if not named:
                return owner.append(value)
            case list(), "extend", [list() as more] if not named:
                return owner.extend(more)
            case str(), "strip" | "rstrip" | "lstrip", [] if not named:
                return getattr(str, name)(owner)
            case str(), "replace", [str() as old, str() as new] if not named and old:
                return owner.replace(old, new)
            case str(), "split", [] if not named:
                return Words(owner.split())
            case str(), "join", [list() as parts] if all(isinstance(each, str) for each in parts):
                return owner.join(parts)
            case _:
                self.refuse(node, f"a call of the method {name}")
