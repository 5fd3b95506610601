"""Recipes made of published prompts, word for word, by whoever has the file.

Three kinds of file: rank_llm's YAML templates, llm-rankers' TOML prompts, and Python files of the
RankGPT family, which are read as syntax and never run.
"""

from pathlib import PurePath

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import read_lines
from rearank_cli.recipes.importers import llm_rankers, python, rank_llm

INSTALLED = "rank_llm:"


def import_recipe(source: str, function: str | None = None) -> str:
    """Return a published prompt as the TOML of a recipe.

    `source` is a file, or `rank_llm:NAME` for a template of the installed package; `function` is
    the one of a Python file that builds the messages. Raises `RearankError` for what cannot be
    read in full: nothing is guessed and nothing left out.
    """
    if source.startswith(INSTALLED):
        name, text = rank_llm.installed(source.removeprefix(INSTALLED))
        return rank_llm.convert(name, text)
    text = "\n".join(line for _, line in read_lines(source)) + "\n"
    kind = PurePath(source).suffix
    if kind in (".yaml", ".yml"):
        return rank_llm.convert(source, text)
    if kind == ".toml":
        return llm_rankers.convert(source, text)
    if kind == ".py":
        return python.convert(source, text, function)
    raise RearankError(
        f"{source}: expected a .yaml, .toml or .py file",
        hint=f"or {INSTALLED}NAME, a template of an installed rank-llm",
    )
