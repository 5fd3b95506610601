"""A model's tokenizer: which strings control it, and how long a prompt is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.records import Prompt


class Tokens:
    """The tokenizer of a model folder or hub id.

    Raises `RearankError` when there is none, or when it has no chat template.
    """

    def __init__(self, model: str, chat_template: Mapping[str, Any]) -> None:
        """Load the tokenizer; `chat_template` are switches for its template."""
        from transformers import AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model)
        except (OSError, ValueError) as error:
            raise RearankError(f"{model}: no tokenizer can be loaded: {error}") from error
        if not self._tokenizer.chat_template:
            raise RearankError(
                f"{model}: the tokenizer has no chat template",
                hint="take the model's chat or instruct version",
            )
        self._switches = dict(chat_template)

    @property
    def reserved(self) -> Sequence[str]:
        """The strings that the tokenizer reads as control tokens."""
        return tuple(self._tokenizer.get_added_vocab())

    def count(self, prompt: Prompt) -> int:
        """Return the length of a prompt in tokens, with the beginning of the model's turn."""
        encoded = self._tokenizer.apply_chat_template(
            [message._asdict() for message in prompt],
            add_generation_prompt=True,
            return_dict=True,
            **self._switches,
        )
        return len(encoded["input_ids"])
