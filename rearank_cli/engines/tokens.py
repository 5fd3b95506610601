"""Counting the tokens of a prompt, as the model's own chat template and tokenizer make them."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rearank_cli.engines.base import Model
from rearank_cli.engines.models import hub_files
from rearank_cli.errors import RearankError
from rearank_cli.records import Request

# Names of the longest sequence in models' settings.
_CONTEXT = (
    "max_position_embeddings",
    "n_positions",
    "max_sequence_length",
    "max_seq_len",
    "seq_length",
)


def encode(tokenizer: Any, request: Request) -> list[int]:
    """Return the tokens of a request's prompt, with what the answer begins with.

    Those of a chat go up to and with the beginning of the model's turn. A plain text gets what
    the tokenizer puts in front of every text.
    """
    if isinstance(request.prompt, str):
        return list(tokenizer(request.prompt + request.prefill)["input_ids"])
    if request.prefill:
        # The template has written what stands in front of every text.
        return list(tokenizer(rendered(tokenizer, request), add_special_tokens=False)["input_ids"])
    encoded = tokenizer.apply_chat_template(
        [message._asdict() for message in request.prompt],
        add_generation_prompt=True,
        return_dict=True,
        **request.chat_template,
    )
    return list(encoded["input_ids"])


def rendered(tokenizer: Any, request: Request) -> str:
    """Return a request's prompt as one text: a chat with the beginning of the model's turn."""
    if isinstance(request.prompt, str):
        return request.prompt + request.prefill
    text: str = tokenizer.apply_chat_template(
        [message._asdict() for message in request.prompt],
        add_generation_prompt=True,
        tokenize=False,
        **request.chat_template,
    )
    return text + request.prefill


class PromptTokens:
    """A model's tokenizer, without the model.

    `context` is the most tokens that the model can hold, prompt and answer together; 0 where its
    settings do not tell.
    """

    def __init__(self, model: Model) -> None:
        """Load the tokenizer of a model in a folder or on the hub."""
        from transformers import AutoTokenizer

        folder = Path(model.location)
        if not folder.is_dir():
            folder = hub_files(model.name)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self.context = _context(folder)

    def count(self, request: Request) -> int:
        """Return the number of tokens of a request's prompt."""
        return len(encode(self._tokenizer, request))

    def control(self, request: Request) -> list[int]:
        """Return the control tokens of a prompt, in order: the structure of its turns."""
        control = set(self._tokenizer.get_added_vocab().values())
        return [each for each in encode(self._tokenizer, request) if each in control]

    def cut(self, text: str, tokens: int) -> str:
        """Return the beginning of a text that has at most so many tokens."""
        places = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ends = places["offset_mapping"]
        return text if len(ends) <= tokens else text[: ends[tokens - 1][1]]


def _context(folder: Path) -> int:
    """Return a model's context from its settings, which are nested in models that also see.

    What the file leaves to the architecture is asked of transformers; architectures that it does
    not know have what the file says.
    """
    from transformers import AutoConfig

    written = json.loads((folder / "config.json").read_text("utf-8"))
    found = _longest(written) or _longest(written.get("text_config") or {})
    if not found:
        with suppress(Exception):  # an unknown architecture, or one with code of its own
            found = _longest(AutoConfig.from_pretrained(folder).get_text_config().to_dict())
    return found


def _longest(config: Mapping[str, Any]) -> int:
    values = (config.get(name) for name in _CONTEXT)
    return next((value for value in values if isinstance(value, int) and value > 0), 0)


def token_cutter(model: Model, tokens: int) -> Callable[[str], str]:
    """Return a function that cuts texts at so many tokens of a model.

    A server does not tell its tokenizer; for a model that has its id on the hub there, it is the
    hub's. Raises `RearankError` where none can be had.
    """
    hint = "`passage_words` and `passage_chars` cut without a tokenizer"
    if not model.location and "/" not in model.name:
        raise RearankError(
            "`passage_tokens` needs a model in this process, or one on a server by its hub id; a "
            "server does not tell its tokens",
            hint,
        )
    try:
        tokenizer = PromptTokens(replace(model, location=model.location or model.name))
    except RearankError as error:
        raise RearankError(
            f"`passage_tokens` needs the tokenizer of {model.name}: {error.message}", hint
        ) from error
    return lambda text: tokenizer.cut(text, tokens)
