"""How many tokens a prompt takes with a model, without more of it than its tokenizer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rearank_cli.engines.base import Model
from rearank_cli.errors import RearankError
from rearank_cli.records import Request


@dataclass(frozen=True)
class Countable:
    """A model whose prompts are counted.

    `count` returns the tokens of a request; None where they cannot be counted, which `why` says.
    """

    model: Model
    count: Callable[[Request], int] | None
    why: str = ""


def find_countable(name: str | None, served: bool) -> Countable:
    """Return the model that the user means, without converting or downloading its weights.

    A name that is no model here may be one on a server: its prompt can be shown all the same.
    Raises `RearankError` for a folder that is none.
    """
    from rearank_cli.engines.defaults import EMBEDDED, default_model
    from rearank_cli.engines.models import find_model
    from rearank_cli.formats.cache import cache_dir

    if served:
        return Countable(
            find_model(name, served=True), None, "a server does not tell its tokenizer"
        )
    chosen = name or default_model()
    if chosen == EMBEDDED and not (cache_dir("models") / EMBEDDED).is_dir():
        return _embedded(chosen)
    try:
        found = find_model(chosen, served=False)
    except RearankError as error:
        if chosen.startswith((".", "/", "~")) or Path(chosen).exists():
            raise
        return Countable(Model(chosen), None, error.message)
    return Countable(found, lambda request: _count(found, request))


def _count(model: Model, request: Request) -> int:
    from rearank_cli.engines.tokens import PromptTokens

    return PromptTokens(model).count(request)


def _embedded(name: str) -> Countable:
    """Return the embedded model by the tokenizer in its package, without its weights."""
    from transformers import AutoTokenizer

    from rearank_cli.engines.models import embedded_source
    from rearank_cli.engines.tokens import encode

    source = embedded_source()
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    model = Model(name, reserved=tuple(sorted(tokenizer.get_added_vocab())))
    return Countable(model, lambda request: len(encode(tokenizer, request)))
