"""Which recipe a model is asked with, where nobody says."""

from pathlib import PurePath

from rearank_cli.recipes.loading import load_recipe, recipe_names
from rearank_cli.recipes.recipe import Recipe

DEFAULT_RECIPE = "rearank"


def choose_recipe(name: str | None, model: str) -> tuple[Recipe, str]:
    """Return a recipe and why it is this one.

    By its name or file, else the one that was made for the model with exactly this id, else
    `DEFAULT_RECIPE`. Raises `RearankError` for a name that there is not, or a file that is none.
    """
    if name:
        return load_recipe(name), "asked for"
    for each in recipe_names():
        if model and model.lower() in {made.lower() for made in load_recipe(each).made_for}:
            return load_recipe(each), f"made for {model}"
    return load_recipe(DEFAULT_RECIPE), "the default"


def better(recipe: Recipe, model: str) -> str | None:
    """Return the name of another recipe that was made for this very model, if there is one.

    A folder counts as the model whose id ends in its name.
    """
    if _made_for(recipe, model):
        return None
    return next((name for name in recipe_names() if _made_for(load_recipe(name), model)), None)


def _made_for(recipe: Recipe, model: str) -> bool:
    ids = {each.lower() for each in recipe.made_for}
    folder = PurePath(model).name.lower()
    return model.lower() in ids or folder in {each.rpartition("/")[2] for each in ids}
