"""The folder of a training run: what it was started with, where it stands, what it measured."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import reason, write_text

STATE = "trainer_state.json"
"""The file that a checkpoint is whole with; TRL's name for it."""
_ABOUT = "run.json"
_DONE = "done"


class Folder:
    """A run's output folder.

    `run.json` holds what the run was started with; a second start with the same goes on where the
    first stopped, and one with anything else is refused. `metrics.jsonl` holds one line for every
    logged step and validation. Checkpoints and the warm-up have folders of their own inside.
    """

    def __init__(self, path: str) -> None:
        """Name the folder; nothing is written before `begin`."""
        self.path = Path(path)
        self.metrics = self.path / "metrics.jsonl"
        self.sft = self.path / "sft"

    def begin(self, about: Mapping[str, Any], restart: bool) -> bool:
        """Create the folder, or find it again; tell whether a run goes on.

        Raises `RearankError` when it holds another run, or anything else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RearankError(f"{self.path}: cannot be created: {reason(error)}") from error
        started = self.path / _ABOUT
        ours = started.is_file()
        if ours and restart:
            self._clear()
        elif ours:
            self._compare(json.loads(started.read_text("utf-8")), about)
            return True
        elif any(self.path.iterdir()):
            raise RearankError(
                f"{self.path}: expected an empty folder or one of rearank train",
                hint="choose another folder with `output`",
            )
        with write_text(started) as handle:
            json.dump(about, handle, indent=2, ensure_ascii=False)
        return False

    def _compare(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if differing:
            raise RearankError(
                f"{self.path}: holds a run with other {', '.join(differing)}",
                hint="choose another folder with `output`, or start anew with `restart`",
            )

    def _clear(self) -> None:
        """Remove how far a run came; what it made is written over."""
        for folder in (self.path / "checkpoints", self.sft):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.metrics, self.path / _DONE, self.path / _ABOUT):
            file.unlink(missing_ok=True)

    def finished(self, stage: str = "") -> bool:
        """Tell whether a stage, or by default the whole run, has come to its end."""
        return (self.path / stage / _DONE).is_file()

    def finish(self, stage: str = "") -> None:
        """Note that a stage, or by default the whole run, has come to its end."""
        (self.path / stage / _DONE).touch()

    def checkpoint(self, stage: str) -> Path | None:
        """Return the newest complete checkpoint of a stage; a half-written one has no state."""
        complete = [each for each in self._by_step(stage) if (each / STATE).is_file()]
        return complete[-1] if complete else None

    def prune(self, stage: str, keep: int) -> None:
        """Remove the oldest checkpoints of a stage beyond those that are kept."""
        for old in self._by_step(stage)[:-keep]:
            # First what tells that it is whole, so that no half of it is taken for that.
            (old / STATE).unlink(missing_ok=True)
            shutil.rmtree(old, ignore_errors=True)

    def _by_step(self, stage: str) -> list[Path]:
        """Return the checkpoints of a stage, whole or not, the oldest first."""
        numbered = {
            entry: entry.name.rpartition("-")[2]
            for entry in self.checkpoints(stage).glob("checkpoint-*")
        }
        known = [entry for entry, number in numbered.items() if number.isdigit()]
        return sorted(known, key=lambda entry: int(numbered[entry]))

    def checkpoints(self, stage: str) -> Path:
        """Return the folder of a stage's checkpoints."""
        return self.path / "checkpoints" / stage

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to the metrics."""
        with self.metrics.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(record) + "\n")

    def rewind(self, stage: str, step: int) -> None:
        """Forget what a stage noted after `step`, validations too; it will be noted again."""
        kept = [
            record
            for record in self.records()
            if stage not in (record["stage"], record.get("after")) or int(record["step"]) <= step
        ]
        with write_text(self.metrics) as handle:
            handle.writelines(json.dumps(record) + "\n" for record in kept)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield what was measured; a line that a kill cut off is left out."""
        if not self.metrics.is_file():
            return
        for line in self.metrics.read_text("utf-8").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and {"stage", "step"} <= set(record):
                yield record


def is_main_process() -> bool:
    """Tell whether this process is the one that writes, among those that accelerate started."""
    return int(os.environ.get("RANK", "0")) == 0


def processes() -> int:
    """Return how many processes train together, as accelerate or torchrun says."""
    return int(os.environ.get("WORLD_SIZE", "1"))
