"""Python files of the RankGPT family: functions that build messages from a query and passages.

A function is evaluated over its syntax with marks in the place of query, passages and numbers.
Where the marks come out tells the template. The template is then filled for several numbers of
passages and compared, character for character, with what the function gives for the same texts.
"""

import ast
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.recipes.importers.evaluating import Count, Evaluator
from rearank_cli.recipes.importers.shapes import QUERY, Said, number_mark, passage_mark, template_of
from rearank_cli.recipes.importers.writing import origin, recipe_toml
from rearank_cli.recipes.loading import parse_recipe

_ITEMS = ("item", "example", "data")
_QUERIES = ("query", "question", "topic")
_PASSAGES = ("passages", "docs", "documents", "hits", "candidates", "texts")
_NUMBERS = ("num", "num_passages", "n")
_CHECKED = (1, 2, 3, 7, 20)


def convert(name: str, text: str, function: str | None) -> str:
    """Return the messages of a function as a recipe; without a name, of the only one there is.

    Raises `RearankError` with the line for what cannot be read.
    """
    functions = _functions(name, text)
    if function:
        if function not in functions:
            raise RearankError(
                f"{name}: no function {function!r}", hint=f"there are {', '.join(functions)}"
            )
        return _converted(name, text, functions, functions[function])
    made: dict[str, str] = {}
    refused: RearankError | None = None
    for each in functions.values():
        if not _takes_passages(each):
            continue
        try:
            made[each.name] = _converted(name, text, functions, each)
        except RearankError as error:
            refused = refused or error
    if len(made) == 1:
        return next(iter(made.values()))
    if made:
        raise RearankError(
            f"{name}: several functions build messages: {', '.join(made)}",
            hint="`function` says which one",
        )
    raise refused or RearankError(
        f"{name}: no function builds messages from a query and passages",
        hint=f"its parameters are called {_ITEMS[0]}, or query and passages",
    )


def _functions(name: str, text: str) -> dict[str, ast.FunctionDef]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", 0)
        raise RearankError(f"{name}:{line}: not Python: {error}") from error
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _takes_passages(function: ast.FunctionDef) -> bool:
    names = {each.arg for each in function.args.args}
    return bool(names & {*_ITEMS, *_PASSAGES})


def _converted(
    name: str, text: str, functions: dict[str, ast.FunctionDef], function: ast.FunctionDef
) -> str:
    marks = [passage_mark(number) for number in range(1, 5)]
    cuts: set[tuple[str, int]] = set()

    def marked(count: int) -> list[Said]:
        evaluator = Evaluator(
            name, functions, lambda text: any(mark in text for mark in marks), _marked, cuts
        )
        return _said(evaluator, function, QUERY, marks[:count])

    turns = template_of(lambda why: _refused(name, function, why), marked)
    if len(cuts) > 1:
        raise _refused(name, function, "passages are cut in several ways")
    about: dict[str, Any] = {
        "description": f"Imported from {PurePath(name).name}, function {function.name}.",
        "source": origin(name, text),
        "answer": "order",
        "thinks": any("<think>" in content for _, content, _ in turns),
    }
    about |= {f"passage_{unit}": size for unit, size in cuts} or {"passage_chars": 10**6}
    made = recipe_toml(about, turns)
    _compare(name, functions, function, made)
    return made


def _marked(value: int) -> str:
    return number_mark(None if isinstance(value, Count) else value)


def _said(
    evaluator: Evaluator, function: ast.FunctionDef, query: str, passages: Sequence[str]
) -> list[Said]:
    """Return the messages that a function builds; raise `RearankError` where it builds none."""
    hits = [{"content": each, "text": each} for each in passages]
    known: dict[str, Any] = {}
    known |= dict.fromkeys(_ITEMS, {"query": query, "hits": hits})
    known |= dict.fromkeys(_QUERIES, query)
    known |= {each: list(passages) for each in _PASSAGES}
    known |= dict.fromkeys(_NUMBERS, Count(len(passages)))
    names = [each.arg for each in function.args.args]
    made = evaluator.call(function, {each: known[each] for each in names if each in known})
    if not isinstance(made, list) or not made:
        raise _refused(evaluator.name, function, "it returns no messages")
    messages = []
    for each in made:
        if not isinstance(each, dict) or set(each) != {"role", "content"}:
            raise _refused(evaluator.name, function, "it returns something else than messages")
        messages.append(Said(str(each["role"]), str(each["content"])))
    return messages


def _compare(
    name: str, functions: dict[str, ast.FunctionDef], function: ast.FunctionDef, text: str
) -> None:
    """Raise `RearankError` unless the recipe's messages are the function's, for plain texts."""
    recipe = parse_recipe(name, text)
    query = "which words { count } here"
    for count in _CHECKED:
        passages = [f"passage p{number}x with {{{number}}} words" for number in range(count)]
        evaluator = Evaluator(name, functions, lambda text: False)
        wanted = [tuple(each) for each in _said(evaluator, function, query, passages)]
        shown = [_cut(each, recipe.cut) for each in passages]
        if [tuple(each) for each in recipe.render(query, shown)] != wanted:
            raise _refused(name, function, f"its messages for {count} passages are not understood")


def _cut(text: str, cut: tuple[str, int]) -> str:
    unit, size = cut
    return " ".join(text.split()[:size]) if unit == "words" else text[:size]


def _refused(name: str, function: ast.FunctionDef, why: str) -> RearankError:
    return RearankError(f"{name}:{function.lineno}: cannot be imported: {function.name}: {why}")
