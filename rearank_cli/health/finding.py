"""What a check of the machine came to."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it.

    `bad` keeps the main job from working, `note` does not. `remedy` is empty where all is well.
    """

    name: str
    state: State
    found: str
    remedy: str = ""
