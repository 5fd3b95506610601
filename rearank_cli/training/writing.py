"""Training lists on their way to a file."""

import json
from collections.abc import Iterator

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, write_text
from rearank_cli.log import counted, warn
from rearank_cli.training.augment import LOW_INITIAL
from rearank_cli.training.examples import Example
from rearank_cli.training.tally import Tally

FORMATS = ("trl", "verl")


def check_format(name: str, output: str, sft: bool) -> None:
    """Raise `RearankError` for a format that cannot be written there."""
    if name not in FORMATS:
        raise RearankError(f"`format`: expected one of {', '.join(FORMATS)}, found {name}")
    if name == "verl" and output == STDIO:
        raise RearankError(
            "`format` verl writes parquet, which needs a file", hint="name it with `output`"
        )
    if name == "verl" and sft:
        raise RearankError("`sft` is written as JSON lines only, found `format` verl")


def write_lists(
    output: str, format_: str, examples: Iterator[Example], tally: Tally, target: int | None
) -> None:
    """Write the examples; raise `RearankError` when there is none, and then write nothing."""
    checked = _some(examples, tally)
    if format_ == "verl":
        from rearank_cli.training.verl import write_parquet

        write_parquet(output, checked)
    else:
        with write_text(output) as handle:
            for example in checked:
                handle.write(json.dumps(example, ensure_ascii=False) + "\n")
    if target is not None and tally.kept < target:
        warn(f"only {tally.kept:,} of {counted(target, 'list')}: the queries yield no more")


def _some(examples: Iterator[Example], tally: Tally) -> Iterator[Example]:
    yield from examples
    if not tally.kept:
        why = ", ".join(f"{count} {name}" for name, count in tally.dropped.most_common())
        raise RearankError(
            f"expected lists fit for training, found none ({why or 'no judged query'})",
            hint="is the run of the judged collection?"
            + (" `min_initial=0` keeps more" if tally.dropped[LOW_INITIAL] else ""),
        )
