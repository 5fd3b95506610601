"""Making text safe to show: whatever a passage says, it stays data inside its turn."""

import re
from collections.abc import Iterable

from rearank_cli.records import Passage

# Strings by which common chat formats and our own answer format mark structure. An engine adds
# the control tokens of its own tokenizer.
STRUCTURE = (
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<tool_call>",
    "</tool_call>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
)
_PIPES = r"<(?=[|｜])|[|｜](?=>)"
_IDENTIFIER = re.compile(r"\[(\s*[0-9]+\s*)\]")
# C0, DEL and C1 controls, surrogates, and the two noncharacters: none is text.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Cleaner:
    """Turns the text of queries and passages into one line without structure of its own.

    White space is collapsed and control characters go. Every string of `reserved` (a tokenizer's
    control tokens) and of `STRUCTURE` is broken by a space after its first character. A number
    in square brackets gets round ones, since `[3]` is how the model names a passage.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        """Compile the strings to break; one-character and blank ones cannot be broken."""
        tokens = {
            token
            for token in (*STRUCTURE, *reserved)
            if len(token) > 1 and not any(char.isspace() for char in token)
        }
        ordered = sorted(tokens, key=len, reverse=True)
        self._reserved = re.compile("|".join([*map(re.escape, ordered), _PIPES]), re.IGNORECASE)

    def clean(self, text: str, limit: int | None = None) -> str:
        """Return `text` on one line, cut at `limit` characters, safe to show."""
        line = " ".join(_CONTROL.sub(" ", text).split())
        if limit is not None:
            line = line[:limit].rstrip()
        line = _IDENTIFIER.sub(r"(\1)", line)
        return self._reserved.sub(_broken, line)

    def passage(self, passage: Passage, limit: int) -> str:
        """Return a passage as the model sees it, with its title where it has one."""
        if passage.title.strip():
            return self.clean(f"Title: {passage.title} Content: {passage.text}", limit)
        return self.clean(passage.text, limit)


def _broken(match: re.Match[str]) -> str:
    token = match[0]
    return f"{token[0]} {token[1:]}"
