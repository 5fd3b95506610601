"""What a training run is: everything that its stages need, and nothing of TRL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rearank_cli.engines.models import resolve_model
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.training.data import Data
from rearank_cli.training.folder import Folder
from rearank_cli.training.precision import chosen
from rearank_cli.training.settings import TrainSettings
from rearank_cli.training.validation import HeldOut

Mode = Literal["generate", "colocate", "server"]
MODES: tuple[Mode, ...] = ("generate", "colocate", "server")


@dataclass(frozen=True, slots=True)
class Rollouts:
    """How answers are sampled: by transformers, by vLLM in this process, or by a vLLM server."""

    mode: Mode = "generate"
    server: str = ""


@dataclass(frozen=True)
class Job:
    """One run: `lists` for GRPO, `answers` for the warm-up, either or both.

    With a `recipe`, whose answers are likelihoods, the lists are those of contrastive training.
    `sources` is what the model card says of the texts.

    `base` is the folder or hub id of the model and `name` what the user called it; `switches` are
    those of the chat template; `trackers` are names that transformers knows.
    """

    base: str
    name: str
    settings: TrainSettings
    folder: Folder
    lists: Data | None
    answers: Data | None
    rollouts: Rollouts = field(default_factory=Rollouts)
    held_out: HeldOut | None = None
    switches: Mapping[str, Any] = field(default_factory=dict)
    trackers: tuple[str, ...] = ()
    recipe: Recipe | None = None
    sources: str = ""

    @property
    def lora(self) -> bool:
        """Whether an adapter is trained instead of all weights."""
        return self.settings.lora.rank > 0

    def about(self) -> dict[str, Any]:
        """Return what must be the same for a run to go on.

        Raises `RearankError` when the base model is not to be had.
        """
        return {
            "model": self.name,
            "weights": resolve_model(self.base).revision,
            "chat template switches": dict(self.switches),
            "lists": self.lists.digest if self.lists else "",
            "answers": self.answers.digest if self.answers else "",
            "validation": self.held_out.digest if self.held_out else "",
            "rollouts": self.rollouts.mode,
            **({"recipe": self.recipe.digest} if self.recipe else {}),
            "precision": chosen(self.settings.run.precision),
            "settings": self.settings.text,
        }
