"""A training run from its beginning, or from where it stopped, to the model card."""

import importlib.util
import os
import warnings

from rearank_cli.errors import RearankError
from rearank_cli.log import note
from rearank_cli.training.card import write_card
from rearank_cli.training.environment import prepare_vllm
from rearank_cli.training.folder import is_main_process, processes
from rearank_cli.training.job import Job
from rearank_cli.training.precision import chosen
from rearank_cli.training.settings import accumulation
from rearank_cli.training.validation import Validator

_INSTALL = "pip install 'rearank-cli[train]'"


def train(job: Job, restart: bool = False) -> None:
    """Do what is left of a run; a finished one is left as it is.

    Raises `RearankError` for settings that cannot work and a folder that holds another run.
    """
    if job.recipe:
        if processes() > 1:
            raise RearankError("contrastive training runs in one process, found several")
    else:
        accumulation(job.settings, processes())
    _check_validation(job)
    _check_installed(("torch", "peft") if job.recipe else ("torch", "trl", "peft"))
    goes_on = not restart
    if is_main_process():
        goes_on = job.folder.begin(job.about(), restart)
    if goes_on and job.folder.finished():
        note(f"{job.folder.path}: this run is finished")
        return
    # Threads that wait for each other actively take the cores from those that compute.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    _quiet(job)
    if is_main_process():
        note(f"precision: {chosen(job.settings.run.precision)}")
    validator = Validator(job.held_out, job.settings.validation) if job.held_out else None
    _stages(job, validator)
    if is_main_process():
        write_card(job)
        job.folder.finish()
        note(f"{job.folder.path}: done")


def _check_installed(names: tuple[str, ...]) -> None:
    """Raise `RearankError` where the libraries of training are missing."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise RearankError(f"training needs {name}, which is not installed", _INSTALL)


def _check_validation(job: Job) -> None:
    """Raise `RearankError` where no process has the whole model to rerank with."""
    zero3 = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"
    sharded = zero3 or os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    if job.held_out and sharded:
        raise RearankError(
            "`validate` cannot rerank with a model whose weights are spread over processes",
            hint="train without it and rerank with the checkpoints instead",
        )


def _stages(job: Job, validator: Validator | None) -> None:
    if job.recipe:
        from rearank_cli.training.contrastive import contrast

        contrast(job, validator)
        return
    if job.rollouts.mode == "colocate":
        prepare_vllm()
    try:
        from rearank_cli.training import stages
    except ImportError as error:
        raise RearankError(f"training needs TRL: {error}", _INSTALL) from error
    if job.answers and not job.folder.finished("sft"):
        stages.warm_up(job, validator)
        if is_main_process():
            job.folder.finish("sft")
    if job.lists:
        stages.reinforce(job, validator)


def _quiet(job: Job) -> None:
    """Keep the libraries' own progress bars and advice off the terminal."""
    if job.rollouts.mode == "generate":  # else the version of vLLM does matter
        warnings.filterwarnings("ignore", message="TRL currently supports vLLM")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import datasets
        from transformers.utils import logging
    except ImportError:
        return  # said properly when the stages are imported
    datasets.disable_progress_bars()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
