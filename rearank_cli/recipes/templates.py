"""The templates of a recipe: Jinja in a sandbox, where a variable that there is not is an error."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_uppercase
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rearank_cli.records import Message


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of a recipe; one that is `per_passage` is repeated for each passage."""

    role: Any
    template: Template
    per_passage: bool


def template(source: str) -> Template:
    """Compile a template; raise jinja's `TemplateError` for what is none."""
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    compiled = environment.from_string(source)
    # Every rendering copies them, and of the chain of mappings that jinja makes that takes a third
    # of the whole time.
    compiled.globals = dict(compiled.globals)
    return compiled


def variables(query: str, passages: Sequence[str], letters: bool) -> dict[str, Any]:
    """Return what every template may name."""
    numbers = [str(number) for number in range(1, len(passages) + 1)]
    return {
        "query": query,
        "num": len(passages),
        "passages": passages,
        "identifiers": list(ascii_uppercase[: len(passages)]) if letters else numbers,
        # A recipe about one passage at a time calls it `passage`.
        "passage": passages[0] if len(passages) == 1 else "",
    }


def messages(turns: Sequence[Turn], values: Mapping[str, Any], strip: bool) -> Iterator[Message]:
    """Yield the messages for one ask; neighbouring turns per passage are repeated together."""
    for per_passage, group in groupby(turns, key=lambda turn: turn.per_passage):
        turns = list(group)
        for place, passage in enumerate(values["passages"] if per_passage else [None]):
            own = dict(values)
            if passage is not None:
                own |= {"number": place + 1, "passage": passage}
                own["identifier"] = values["identifiers"][place]
            for turn in turns:
                text = turn.template.render(own)
                yield Message(turn.role, text.strip() if strip else text)
