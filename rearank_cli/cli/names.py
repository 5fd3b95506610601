"""Names of outputs for several inputs: `runs/{stem}.rearank.trec`."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, TRACE_ENDING, beside
from rearank_cli.formats.packed import plain_name

FIELDS = ("stem", "name", "tag", "collection")
_FIELD = re.compile(r"\{([^{}]*)\}")


def is_pattern(output: str) -> bool:
    """Tell whether a name of an output holds fields to be filled."""
    return _FIELD.search(output) is not None


def fields_of(run: str, tag: str, collection: str) -> dict[str, str]:
    """Return what the fields of a pattern stand for.

    `name` is the run's file without `.trec`, `stem` the same up to its first dot, `collection` the
    last part of the collection's name.
    """
    name = "stdin" if run == STDIO else plain_name(Path(run).name).removesuffix(".trec")
    return {
        "stem": name.split(".")[0] or name,
        "name": name,
        "tag": tag,
        "collection": collection_label(collection),
    }


def collection_label(collection: str) -> str:
    """Return a collection's name as a part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", collection.strip("/")).strip("-") or "collection"


def filled(pattern: str, fields: Mapping[str, str]) -> str:
    """Return a pattern with its fields filled; raise `RearankError` for one that there is not."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in fields:
            known = ", ".join(f"{{{name}}}" for name in fields)
            raise RearankError(f"`output`: expected one of {known}, found {match[0]}")
        return fields[match[1]]

    return _FIELD.sub(value, pattern)


def pattern_for(output: str, folder: str | None, count: int, suffix: str = "{name}.trec") -> str:
    """Return the pattern of the outputs of so many inputs; raise where they would be one file."""
    if folder is not None:
        if output != STDIO:
            raise RearankError("expected one of `output` and `output_dir`, found both")
        return os.path.join(folder, suffix)
    if count > 1 and not is_pattern(output):
        found = "stdout" if output == STDIO else output
        raise RearankError(
            f"`output`: expected a name for each of {count} runs, found {found}",
            hint="-o 'runs/{stem}.rearank.trec', or --output-dir DIR",
        )
    return output


def check_distinct(outputs: Sequence[str], inputs: Sequence[str]) -> None:
    """Raise `RearankError` where two outputs are one file, or one is an input."""
    places = [os.path.abspath(output) for output in outputs if output != STDIO]
    for output, place in zip(outputs, places, strict=False):
        if places.count(place) > 1:
            raise RearankError(
                f"{output}: expected a name for each run, found it for {places.count(place)}",
                hint="{name} is a run's whole name without .trec, {stem} the part to the first dot",
            )
    read = {os.path.abspath(name) for name in inputs if name != STDIO}
    for output, place in zip(outputs, places, strict=False):
        if place in read:
            raise RearankError(f"{output}: expected a new file, found one of the runs to read")


def trace_beside(run: str) -> str | None:
    """Return the trace that lies beside a run; None where there is none."""
    trace = beside(run, TRACE_ENDING)
    named = plain_name(Path(run).name).endswith(".trec")
    return trace if named and trace and Path(trace).is_file() else None


def prefix_of(output: str) -> str:
    """Return what a line about an output begins with: several commands may share a terminal."""
    name = named_outputs([output])
    return f"{name}: " if name else ""


def named_outputs(outputs: Sequence[str]) -> str:
    """Return how lines name outputs: one by its file without `.trec`, several by their number."""
    if len(outputs) != 1:
        return f"{len(outputs)} runs" if outputs else ""
    return "" if outputs[0] == STDIO else plain_name(Path(outputs[0]).name).removesuffix(".trec")
