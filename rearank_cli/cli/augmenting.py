"""The steps of `rearank augment` between its options and the training room."""

import json
import re
from collections.abc import Iterator, Sequence

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import STDIO, read_lines, write_text
from rearank_cli.log import warn
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.examples import Example, Limit, Renderer
from rearank_cli.training.tally import Tally

FORMATS = ("trl", "verl")


def check_format(name: str, output: str, sft: bool) -> None:
    """Raise `RearankError` for a format that cannot be written there."""
    if name not in FORMATS:
        raise RearankError(f"--format: expected one of {', '.join(FORMATS)}, found {name}")
    if name == "verl" and output == STDIO:
        raise RearankError("--format verl writes parquet, which needs a file", hint="-o FILE")
    if name == "verl" and sft:
        raise RearankError("--sft is written as JSON lines only, found --format verl")


def parse_sizes(text: str) -> tuple[int, int]:
    """Read `20` or `5-10`; raise `RearankError` for anything else."""
    match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text)
    if not match:
        raise RearankError(f"--window: expected N or MIN-MAX, found {text!r}")
    return int(match[1]), int(match[2] or match[1])


def excluded_ids(path: str) -> set[str]:
    """Return the query ids of a file: the first column of each line, so that qrels do too."""
    return {line.split()[0] for _, line in read_lines(path) if line.strip()}


def renderer(
    work: Sequence[Candidates],
    profile: Recipe,
    passage_chars: int | None,
    prompts: tuple[str | None, int | None, bool],
) -> Renderer:
    """Return what turns lists into examples; `prompts` are the model, its limit, and `cut`.

    Raises `RearankError` for a limit without a model to count with.
    """
    model, max_tokens, cut = prompts
    if max_tokens is not None and model is None:
        raise RearankError(
            "--max-prompt-tokens: expected --model too, since models count tokens differently"
        )
    texts: dict[str, Passage] = {}
    for each in work:
        texts.update(each.passages)
    if model is None:
        return Renderer(texts, profile, Cleaner(), passage_chars)
    from rearank_cli.engines.models import resolve_model
    from rearank_cli.training.tokens import Tokens

    tokens = Tokens(resolve_model(model).location, profile.chat_template)
    limit = Limit(max_tokens, tokens.count, cut) if max_tokens is not None else None
    return Renderer(texts, profile, Cleaner(tokens.reserved), passage_chars, limit)


def write(
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
        warn(f"only {tally.kept:,} of {target:,} lists: the queries yield no more")


def _some(examples: Iterator[Example], tally: Tally) -> Iterator[Example]:
    yield from examples
    if not tally.kept:
        why = ", ".join(f"{count} {name}" for name, count in tally.dropped.most_common())
        raise RearankError(
            f"expected lists fit for training, found none ({why or 'no judged query'})",
            hint="is the run of the judged collection? --min-initial 0 keeps more",
        )
