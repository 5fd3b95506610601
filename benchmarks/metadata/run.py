"""Hold origins of runs against ir_metadata's published checklists.

`python -m benchmarks.metadata.run CHECKLISTS RUN.meta.yml…`, where CHECKLISTS is the folder
`docs/metadata` of a checkout of github.com/irgroup/ir_metadata, whose text is not kept here. The
schema is published as these checklists alone: fields with their types, of which none is required. A
field that they do not have, or have with another type, is told and makes the exit code 1. How many
of the fields an origin has is counted by component.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

COMPONENTS = ("platform", "research goal", "implementation", "method", "actor", "data")
GENERAL = ("schema-version", "tag")
"""What the overview wants at the beginning, beside `run-version` for metadata that were changed."""
FIELD = re.compile(r"^- (`[^`]+`(?: &rarr; `[^`]+`)+)")
# What holds anything below it: names of languages, and a ranker's own parameters.
OPEN = {("platform", "software", "libraries"), ("method", "retrieval")}
TYPES: Mapping[str, tuple[type, ...]] = {
    "!!str": (str,),
    "!!int": (int,),
    "!!float": (int, float),
    "!!bool": (bool,),
    "!!seq": (list,),
    "!!map": (dict,),
}
Fields = dict[tuple[str, ...], tuple[type, ...]]


def checklist(folder: Path) -> Fields:
    """Return the fields that the checklists name, with the types that a value may have."""
    found: Fields = {}
    for component in COMPONENTS:
        text = (folder / f"{component.replace(' ', '_')}.md").read_text("utf-8")
        path: tuple[str, ...] = ()
        for line in text.partition("## Example")[0].splitlines():
            if match := FIELD.match(line):
                path = tuple(re.findall("`([^`]+)`", match[1]))
                found[path] = ()
            elif (
                path and not found[path]
            ):  # the first line with a tag: a list's own, else a value's
                tags = re.findall("!![a-z]+", line)[: 1 if "!!seq" in line else None]
                found[path] = tuple(kind for tag in tags for kind in TYPES[tag])
    return found


def leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what is said, by path; a list is one thing, and so is what lies in an open mapping."""
    if isinstance(content, dict) and path not in OPEN:
        for name, value in content.items():
            yield from leaves(value, (*path, str(name)))
    else:
        yield path, content


def faults(content: Mapping[str, Any], known: Fields) -> Iterator[str]:
    """Yield what an origin says that the checklists do not have, or otherwise."""
    yield from (f"{name}: missing" for name in GENERAL if name not in content)
    for component in COMPONENTS:
        for path, value in leaves(content.get(component, {}), (component,)):
            name = " → ".join(path)
            if path == (component,):
                continue
            if path not in known:
                yield f"{name}: not in the checklists"
            elif path not in OPEN and known[path] and not isinstance(value, known[path]):
                expected = " or ".join(kind.__name__ for kind in known[path])
                yield f"{name}: expected {expected}, found {type(value).__name__}"


def told(content: Mapping[str, Any], known: Fields) -> Iterator[str]:
    """Yield how many of each component's fields an origin has."""
    for component in COMPONENTS:
        fields = {path for path in known if path[0] == component}
        there = {path for path, _ in leaves(content.get(component, {}), (component,))} & fields
        yield f"{component} {len(there)} of {len(fields)}"


def main() -> int:
    """Print a line for every file, and its faults below it."""
    known = checklist(Path(sys.argv[1]))
    bad = 0
    for name in sys.argv[2:]:
        content = yaml.safe_load(Path(name).read_text("utf-8"))
        found = list(faults(content, known))
        bad += bool(found)
        print(f"{name}: {len(found)} faults; fields: {', '.join(told(content, known))}")
        for fault in found:
            print(f"  {fault}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
