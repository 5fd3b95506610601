"""Counting the tokens of a prompt, as the model's own chat template and tokenizer make them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rearank_cli.engines.base import Model
from rearank_cli.engines.models import hub_files
from rearank_cli.errors import RearankError
from rearank_cli.records import Prompt


def encode(tokenizer: Any, prompt: Prompt, chat_template: Mapping[str, Any]) -> list[int]:
    """Return the tokens of a prompt, up to and with the beginning of the model's turn."""
    encoded = tokenizer.apply_chat_template(
        [message._asdict() for message in prompt],
        add_generation_prompt=True,
        return_dict=True,
        **chat_template,
    )
    return list(encoded["input_ids"])


class PromptTokens:
    """A model's tokenizer, without the model; `context` is the model's longest input and answer."""

    def __init__(self, model: Model, chat_template: Mapping[str, Any]) -> None:
        """Load the tokenizer of a model in a folder or on the hub."""
        from transformers import AutoTokenizer

        folder = Path(model.location)
        if not folder.is_dir():
            folder = hub_files(model.name)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._chat_template = chat_template
        config = json.loads((folder / "config.json").read_text("utf-8"))
        self.context = int(config.get("max_position_embeddings") or 0)

    def count(self, prompt: Prompt) -> int:
        """Return the number of tokens of a prompt."""
        return len(encode(self._tokenizer, prompt, self._chat_template))

    def control(self, prompt: Prompt) -> list[int]:
        """Return the control tokens of a prompt, in order: the structure of its turns."""
        control = set(self._tokenizer.get_added_vocab().values())
        return [
            each for each in encode(self._tokenizer, prompt, self._chat_template) if each in control
        ]

    def cut(self, text: str, tokens: int) -> str:
        """Return the beginning of a text that has at most so many tokens."""
        places = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ends = places["offset_mapping"]
        return text if len(ends) <= tokens else text[: ends[tokens - 1][1]]


def token_cutter(model: Model, tokens: int) -> Callable[[str], str]:
    """Return a function that cuts texts at so many tokens of a model.

    Raises `RearankError` for a model on a server, which does not tell its tokenizer.
    """
    if not model.location:
        raise RearankError(
            "--passage-tokens needs a model in this process; a server does not tell its tokens",
            hint="--passage-chars cuts at characters",
        )
    tokenizer = PromptTokens(model, {})
    return lambda text: tokenizer.cut(text, tokens)
