"""The checks of `rearank train` before anything heavy starts."""

import importlib.util
from collections.abc import Sequence

from rearank_cli.collection import open_collection
from rearank_cli.engines.machine import has_gpu
from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name
from rearank_cli.formats.trec import group_qrels, read_run
from rearank_cli.log import note, warn
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.reranking.candidates import candidates
from rearank_cli.training.data import Data
from rearank_cli.training.job import MODES, Rollouts
from rearank_cli.training.settings import TrainSettings
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
Source = tuple[str | None, str | None, str | None, str | None]


def check_profile(data: Data | None, profile: Recipe) -> None:
    """Raise `RearankError` when the lists were written for another kind of profile."""
    for example in data.examples if data else ():
        if example["thinks"] != profile.thinks:
            asks = "reasoning" if example["thinks"] else "no reasoning"
            raise RearankError(
                f"{data.name if data else ''}: its prompts ask for {asks}, "
                f"the profile {profile.name} does not",
                hint="give --prompt the profile that rearank augment was given",
            )


def held_out(run: str, source: Source, profile: Recipe, settings: TrainSettings) -> HeldOut:
    """Return the judged queries of a run for validation.

    Raises `RearankError` when none is judged.
    """
    collection = open_collection(*source)
    qrels = group_qrels(collection.qrels())
    work = candidates(read_run(run), display_name(run), collection, settings.validation.depth)
    judged = [each for each in work if each.query.query_id in qrels]
    if not judged:
        raise RearankError(f"{run}: none of its queries is judged")
    return HeldOut(display_name(run), judged, qrels, profile)


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
        raise RearankError(f"--server: expected --rollouts server beside it, found {mode}")
    if mode == "auto":
        usable = has_gpu() and importlib.util.find_spec("vllm") is not None
        chosen = Rollouts("colocate" if usable else "generate")
        note(f"rollouts: {chosen.mode}")
        return chosen
    for each in MODES:
        if mode == each != "server":
            return Rollouts(each)
    if mode == "server":
        raise RearankError("--rollouts server: expected --server URL beside it")
    raise RearankError(f"--rollouts: expected auto, {', '.join(MODES)}, found {mode}")


def check_trackers(names: Sequence[str]) -> None:
    """Raise `RearankError` for a tracker that transformers does not know or that is missing."""
    for name in names:
        if name not in _TRACKERS:
            raise RearankError(
                f"--tracker: expected one of {', '.join(_TRACKERS)}, found {name}",
            )
        if importlib.util.find_spec(name) is None:
            raise RearankError(f"--tracker {name}: not installed", hint=f"pip install {name}")
