"""Which recipe a model is asked with, where nobody says."""

from collections.abc import Sequence
from pathlib import PurePath

from rearank_cli.errors import RearankError
from rearank_cli.log import warn
from rearank_cli.recipes.loading import load_recipe, parse_recipe, recipe_names, recipe_text
from rearank_cli.recipes.originals import Original, catalogue, find_original
from rearank_cli.recipes.recipe import Recipe

DEFAULT_RECIPE = "rearank"
SCORED = "relevance"
"""The recipe for servers that score pairs of query and passage."""


def choose_recipe(name: str | None, model: str, scored: bool = False) -> tuple[Recipe, str]:
    """Return a recipe and why it is this one.

    By its name or file, else the one that was made for the model with exactly this id, else
    `DEFAULT_RECIPE`. A published model is asked in its own words, which are fetched on first use;
    where they cannot be had, words of ours take their place, with a warning. A model that is
    `scored` by servers needs no words. Raises `RearankError` for a name that there is not, or a
    file that is none.
    """
    if name:
        return load_recipe(name), "asked for"
    if scored:
        return load_recipe(SCORED), "for servers that score"
    if found := find_original(model):
        return _original(*found)
    for each in recipe_names():
        if model and model.lower() in {made.lower() for made in load_recipe(each).made_for}:
            return load_recipe(each), f"made for {model}"
    return load_recipe(DEFAULT_RECIPE), "the default"


def _original(model: str, original: Original) -> tuple[Recipe, str]:
    """Return the published recipe of a model, or what comes closest without its words."""
    try:
        return load_recipe(model), f"made for {model}, in its published words: {original.origin}"
    except RearankError as error:
        name = original.instead
        warn(
            f"the published prompt of {model} could not be had ({error.message}): it is asked in "
            f"words of our own ({name}), and figures may differ from the published ones; "
            f"{error.hint}"
        )
        recipe = parse_recipe(name, original.own_words(recipe_text(name)))
        return recipe, f"made for {model}, in words of our own"


def better(recipe: Recipe, model: str) -> str | None:
    """Return the name of another recipe that was made for this very model, if there is one.

    A folder counts as the model whose id ends in its name.
    """
    if _is_one(recipe.made_for, model):
        return None
    for original in catalogue():
        for each in original.models:
            if _is_one([each], model):
                return each
    return next(
        (name for name in recipe_names() if _is_one(load_recipe(name).made_for, model)), None
    )


def _is_one(models: Sequence[str], model: str) -> bool:
    ids = {each.lower() for each in models}
    folder = PurePath(model).name.lower()
    return model.lower() in ids or folder in {each.rpartition("/")[2] for each in ids}
