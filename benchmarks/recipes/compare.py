"""Compare messages rendered by an imported recipe with those of the original file.

    python -m benchmarks.recipes.compare rank_gpt.py:create_permutation_instruction zephyr.yaml …

The originals are whoever's who runs this; none is kept here. For each of 20 queries, messages are
made about 1, 2, … 20 passages, by the recipe and by the original, and compared character for
character. **The functions of a Python file are run for that** (only they: no import of the file, no
other statement), so look at the file first. Templates in YAML and TOML are filled by Python's own
`str.format`, turn by turn as rank_llm and llm-rankers do it.
"""

import ast
import hashlib
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rearank_cli.recipes.importers import import_recipe
from rearank_cli.recipes.loading import parse_recipe
from rearank_cli.recipes.recipe import Recipe

Messages = list[tuple[str, str]]
Original = Callable[[str, Sequence[str]], Messages]

QUERIES = [f"query {n}: why {{is}} it 100% {n} \"quoted\" 'é'?" for n in range(20)]


def passages(query: int) -> list[str]:
    """Return 20 passages, some longer than any cut."""
    return [
        " ".join(f"w{query}x{number}x{place}{{ }}" for place in range(5 + 60 * (number % 8)))
        for number in range(20)
    ]


def python(path: Path, function: str) -> Original:
    """Return what the function of a file says; nothing else of the file is run."""
    tree = ast.parse(path.read_text("utf-8"))
    wanted: list[Any] = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in wanted:
        node.returns, node.decorator_list = None, []
        for each in node.args.args:
            each.annotation = None
    scope: dict[str, Any] = {}
    exec(compile(ast.Module(wanted, []), str(path), "exec"), scope)  # noqa: S102  see above

    def said(query: str, shown: Sequence[str]) -> Messages:
        item = {"query": query, "hits": [{"content": each} for each in shown]}
        return [(each["role"], each["content"]) for each in scope[function](item)]

    return said


def yaml_template(path: Path, recipe: Recipe) -> Original:
    """Return what a template of rank_llm says."""
    import yaml

    parts = yaml.safe_load(path.read_text("utf-8"))

    def said(query: str, shown: Sequence[str]) -> Messages:
        shared = {"query": query, "num": len(shown)}
        names = [chr(ord("A") + n) if recipe.letters else str(n + 1) for n in range(len(shown))]
        cut = [" ".join(each.split()[: recipe.cut.size]) for each in shown]
        found: Messages = []
        if parts.get("system_message"):
            found.append(("system", parts["system_message"]))
        text = parts.get("prefix", parts.get("prefix_user", "")).format(**shared)
        if parts.get("prefix_assistant"):
            found += [("user", text), ("assistant", parts["prefix_assistant"].format(**shared))]
            text = ""
        for name, each in zip(names, cut, strict=True):
            own = parts.get("body", parts.get("body_user", "")).format(rank=name, candidate=each)
            if parts.get("body_assistant"):
                found += [("user", own), ("assistant", parts["body_assistant"].format(rank=name))]
            else:
                text += own
        suffix = parts.get("suffix", parts.get("suffix_user", "")).format(**shared)
        return [*found, ("user", text + suffix)]

    return said


def toml_prompt(path: Path) -> Original:
    """Return what a prompt of llm-rankers says."""
    parts = tomllib.loads(path.read_text("utf-8"))
    prefix = parts.get("doc_prefix", "[{num}] ")

    def said(query: str, shown: Sequence[str]) -> Messages:
        docs = parts.get("doc_separator", "\n").join(
            f"{prefix.format(num=number)}{each}" for number, each in enumerate(shown, 1)
        )
        user = parts["prompt_user"].format(query=query, docs=docs, num=len(shown))
        return [("system", parts["prompt_system"]), ("user", user)]

    return said


def cut(text: str, recipe: Recipe) -> str:
    """Return a passage as the recipe has it shown."""
    if recipe.cut.unit == "words":
        return " ".join(text.split()[: recipe.cut.size])
    return text[: recipe.cut.size]


def compare(argument: str) -> str:
    """Return a line about a file: what was compared, and how much of it is equal."""
    name, _, function = argument.partition(":")
    path = Path(name)
    recipe = parse_recipe(name, import_recipe(name, function or None))
    if path.suffix == ".py":
        original = python(path, function)
    elif path.suffix == ".toml":
        original = toml_prompt(path)
    else:
        original = yaml_template(path, recipe)
    equal = total = 0
    for number, query in enumerate(QUERIES):
        whole = passages(number)
        # Prompts of llm-rankers are cut elsewhere, before they are filled.
        shown = [cut(each, recipe) for each in whole]
        for count in range(1, len(whole) + 1):
            given = shown if path.suffix == ".toml" else whole
            total += 1
            rendered = [tuple(each) for each in recipe.render(query, shown[:count])]
            equal += rendered == original(query, given[:count])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{argument}\t{digest}\t{recipe.cut.size} {recipe.cut.unit}\t{equal} of {total} equal"


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(compare(each))
