"""The sources of vLLM in a wheel or a folder, read as syntax trees; nothing is imported or run."""

import ast
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path


class Sources:
    """The modules of vLLM in a wheel or in a folder that holds `vllm/`."""

    def __init__(self, place: Path) -> None:
        self._zip = zipfile.ZipFile(place) if place.is_file() else None
        self._folder = place
        self._trees: dict[str, ast.Module | None] = {}

    def module(self, name: str) -> ast.Module | None:
        """Return a module's syntax tree, or None where there is no such module."""
        if name not in self._trees:
            base = name.replace(".", "/")
            texts = (self._read(file) for file in (f"{base}.py", f"{base}/__init__.py"))
            text = next((text for text in texts if text is not None), None)
            self._trees[name] = None if text is None else ast.parse(text)
        return self._trees[name]

    def is_package(self, name: str) -> bool:
        """Tell whether a module is a folder with modules in it."""
        return self._read(f"{name.replace('.', '/')}/__init__.py") is not None

    def _read(self, file: str) -> str | None:
        try:
            if self._zip:
                return self._zip.read(file).decode()
            return (self._folder / file).read_text("utf-8")
        except (KeyError, OSError):
            return None

    def find(self, module: str, name: str, depth: int = 10) -> tuple[str, ast.stmt] | None:
        """Return where a name is defined and how, through the imports that hand it on."""
        tree = self.module(module)
        if tree is None or depth == 0:
            return None
        for node in reversed(list(statements(tree.body))):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self.find(self._target(module, node), alias.name, depth - 1)
            elif name in defined(node):
                return module, node
        return None

    def _target(self, module: str, node: ast.ImportFrom) -> str:
        """Return the whole name of the module that a statement imports from."""
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + self.is_package(module)]
        return ".".join([*parts, node.module] if node.module else parts)

    def classes(self, module: str, name: str) -> Iterator[ast.ClassDef]:
        """Yield a class and those that it builds on, as far as they are vLLM's."""
        found = self.find(module, name)
        if found and isinstance(found[1], ast.ClassDef):
            yield found[1]
            for base in found[1].bases:
                if isinstance(base, ast.Name):
                    yield from self.classes(found[0], base.id)


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module or class, those under `if` and `try` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            for part in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from statements(handler.body)


def defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement gives a value or a type."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def members(classes: Sequence[ast.ClassDef]) -> set[str]:
    """Return what can be asked of an object: fields, methods, and what methods set on `self`."""
    found: set[str] = set()
    for each in classes:
        for node in statements(each.body):
            found |= defined(node)
        found |= {
            node.attr
            for node in ast.walk(each)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        }
    return found


def parameters(classes: Sequence[ast.ClassDef], method: str) -> tuple[list[str], set[str]]:
    """Return what a method takes by place, and what by name: nothing where it takes any name.

    Without an `__init__` of its own a class takes its fields: dataclasses and their kin.
    """
    for each in classes:
        for node in each.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == method:
                every = node.args
                first = [argument.arg for argument in [*every.posonlyargs, *every.args]]
                named = {*first, *(argument.arg for argument in every.kwonlyargs)}
                static = any("staticmethod" in ast.unparse(one) for one in node.decorator_list)
                return first if static else first[1:], set() if every.kwarg else named
    fields = [name for each in classes for node in statements(each.body) for name in defined(node)]
    return (fields, set(fields)) if method == "__init__" else ([], set())
