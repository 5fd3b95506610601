"""What is checked of a training run before anything heavy starts."""

import importlib.util
from collections.abc import Sequence
from typing import Any

from rearank_cli.engines.machine import has_gpu
from rearank_cli.errors import RearankError
from rearank_cli.log import note, warn
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.training.data import Data
from rearank_cli.training.job import MODES, Rollouts
from rearank_cli.training.validation import HeldOut

_TRACKERS = (
    "clearml",
    "comet_ml",
    "dvclive",
    "mlflow",
    "neptune",
    "swanlab",
    "tensorboard",
    "trackio",
    "wandb",
)


OBJECTIVES = ("order", "likelihood")


def check_objective(name: str, **others: Any) -> bool:
    """Return whether a likelihood is trained; raise `RearankError` for what does not go with it.

    `others` are parameters by name; one that is set belongs to the other objective.
    """
    if name not in OBJECTIVES:
        raise RearankError(f"`objective`: expected one of {', '.join(OBJECTIVES)}, found {name}")
    given = sorted(other for other, value in others.items() if value)
    if name == "likelihood" and given:
        raise RearankError(f"`{given[0]}`: does not go with `objective=likelihood`")
    return name == "likelihood"


def check_likelihood(recipe: Recipe) -> None:
    """Raise `RearankError` unless a recipe's answers are likelihoods."""
    if recipe.kind != "likelihood":
        raise RearankError(
            f"recipe {recipe.name}: expected one whose answer is likelihood, found {recipe.kind}",
            hint="`recipe=likelihood` is the embedded model's",
        )


def check_recipe(data: Data | None, recipe: Recipe) -> None:
    """Raise `RearankError` when the lists were written for another kind of recipe."""
    for example in data.examples if data else ():
        if example["thinks"] != recipe.thinks:
            asks = "reasoning" if example["thinks"] else "no reasoning"
            raise RearankError(
                f"{data.name if data else ''}: its prompts ask for {asks}, "
                f"the recipe {recipe.name} does not",
                hint="give `recipe` the one that the lists were written with",
            )


def warn_of_overlap(held: HeldOut | None, data: Sequence[Data | None]) -> None:
    """Warn of validation queries that are trained on; ids alone say nothing across collections."""
    trained: set[str] = set().union(*(each.queries for each in data if each))
    both = [each.query.query_id for each in held.work if each.query.text in trained] if held else []
    if both:
        warn(f"{len(both)} validation queries are trained on (first: {both[0]})")


def choose_rollouts(mode: str, server: str | None) -> Rollouts:
    """Return who samples answers; raise `RearankError` for options that contradict each other."""
    if server and mode in ("auto", "server"):
        return Rollouts("server", server)
    if server:
        raise RearankError(f"`server`: expected `rollouts` to be server beside it, found {mode}")
    if mode == "auto":
        usable = has_gpu() and importlib.util.find_spec("vllm") is not None
        chosen = Rollouts("colocate" if usable else "generate")
        note(f"rollouts: {chosen.mode}")
        return chosen
    for each in MODES:
        if mode == each != "server":
            return Rollouts(each)
    if mode == "server":
        raise RearankError("`rollouts=server`: expected `server=URL` beside it")
    raise RearankError(f"`rollouts`: expected auto, {', '.join(MODES)}, found {mode}")


def check_trackers(names: Sequence[str]) -> None:
    """Raise `RearankError` for a tracker that transformers does not know or that is missing."""
    for name in names:
        if name not in _TRACKERS:
            raise RearankError(
                f"`tracker`: expected one of {', '.join(_TRACKERS)}, found {name}",
            )
        if importlib.util.find_spec(name) is None:
            raise RearankError(f"`tracker` {name}: not installed", hint=f"pip install {name}")
