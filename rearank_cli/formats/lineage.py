"""How a run came to be: its origin, those of the runs that went into it, and so on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rearank_cli.formats.files import STDIO
from rearank_cli.formats.origin import content_digest, origin_file, read_origin, short_path

UNKNOWN = "no origin"
CHANGED = "changed since its origin was written"
GONE = "no such file any more"
REPLACED = "another run than the one that was read"


@dataclass(frozen=True)
class Step:
    """One run of a lineage: its file, what its origin says, and the runs that it was made of.

    `remark` says why there is no origin to believe; empty where there is one.
    """

    file: str
    origin: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple["Step", ...] = ()
    remark: str = ""

    @property
    def verb(self) -> str:
        """What made it."""
        steps = dict(self.origin.get("method") or {}).get("retrieval") or [{}]
        return str(steps[0].get("name", ""))

    @property
    def command(self) -> str:
        """The command as it can be pasted."""
        implementation = dict(self.origin.get("implementation") or {})
        return str(dict(implementation.get("executable") or {}).get("cmd", ""))

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "file": self.file,
            **({"remark": self.remark} if self.remark else {}),
            **({"origin": dict(self.origin)} if self.origin else {}),
            "inputs": [step.as_json() for step in self.inputs],
        }


def lineage(run: str, expected: str = "") -> Step:
    """Return a run's lineage; `expected` is the digest under which another run knows it.

    Raises `RearankError` for an origin that is no YAML.
    """
    if run == STDIO or not Path(run).is_file():
        return Step(run, remark="" if run.startswith("<") else GONE)
    found = read_origin(run)
    digest = content_digest(run)
    remark = REPLACED if expected and digest != expected else ""
    if found is None:
        return Step(run, remark=remark or UNKNOWN)
    if dict(found.get("run") or {}).get("sha256") != digest:
        return Step(run, remark=remark or f"{CHANGED} ({origin_file(run)})")
    inputs = [each for each in found.get("inputs") or () if isinstance(each, dict)]
    steps = tuple(
        lineage(str(each.get("file", "")), str(each.get("sha256", ""))) for each in inputs
    )
    return Step(run, found, steps, remark)


def tree(step: Step, before: str = "", last: str = "") -> Iterator[str]:
    """Yield the lines of a lineage: the run first, what it was made of below it."""
    made = f"  {step.verb}" if step.verb else ""
    remark = f"  ({step.remark})" if step.remark else ""
    yield f"{last}{short_path(step.file)}{made}{remark}"
    details = [step.command, *_facts(step.origin)]
    bar = "│ " if step.inputs else "  "
    for detail in filter(None, details):
        yield f"{before}{bar}  {detail}"
    for place, each in enumerate(step.inputs, 1):
        end = place == len(step.inputs)
        yield from tree(
            each, before + ("   " if end else "│  "), before + ("└─ " if end else "├─ ")
        )


def _facts(origin: Mapping[str, Any]) -> Iterator[str]:
    collection = dict(origin.get("collection") or {})
    named = [collection.get(part) for part in ("dataset", "corpus", "queries")]
    if any(named):
        yield "collection " + ", ".join(short_path(str(part)) for part in named if part)
    model = origin.get("model")
    if model:
        yield f"model {model}, recipe {origin.get('recipe', '')}"
    if origin.get("started"):
        yield f"{origin['started']}, rearank {origin.get('rearank', '')}"
