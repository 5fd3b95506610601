"""Making text safe to show: whatever a passage says, it stays data inside its turn."""

import re
from collections.abc import Iterable

from rearank_cli.recipes.control import break_control
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
_PIPES = ("<|", "<｜", "|>", "｜>")
_IDENTIFIER = re.compile(r"\[(\s*[0-9]+\s*)\]")
# C0, DEL and C1 controls, surrogates, and the two noncharacters: none is text.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Cleaner:
    """Turns the text of queries and passages into one line without structure of its own.

    White space is collapsed and control characters go. Every string of `reserved` (a tokenizer's
    control tokens) and of `STRUCTURE` is broken by a space after its first character, also where
    it is part of another one. Where the tokenizer is `unknown`, as a server's is, so is all that
    looks like a control token of some chat model (see `control`). A number in square brackets
    gets round ones, since `[3]` is how the model names a passage.
    """

    def __init__(self, reserved: Iterable[str] = (), *, unknown: bool = False) -> None:
        """Compile the strings to break; one-character and blank ones cannot be broken."""
        tokens = {
            token
            for token in (*STRUCTURE, *_PIPES, *reserved)
            if len(token) > 1 and not any(char.isspace() for char in token)
        }
        rests: dict[str, set[str]] = {}
        for token in tokens:
            rests.setdefault(token[0], set()).add(re.escape(token[1:]))
        # Only the first character is consumed, so that a token that begins inside is seen too.
        starts = (f"{re.escape(c)}(?={'|'.join(sorted(rest))})" for c, rest in rests.items())
        self._reserved = re.compile("|".join(sorted(starts)), re.IGNORECASE)
        self._unknown = unknown

    def clean(self, text: str, limit: int | None = None) -> str:
        """Return `text` on one line, cut at `limit` characters, safe to show."""
        line = one_line(text)
        if limit is not None:
            line = line[:limit].rstrip()
        return self.broken(_IDENTIFIER.sub(r"(\1)", line))

    def broken(self, text: str) -> str:
        """Return `text` with every control token and string of structure broken by a space."""
        text = self._reserved.sub(r"\g<0> ", text)
        return break_control(text) if self._unknown else text

    def passage(self, passage: Passage, limit: int) -> str:
        """Return a passage as the model sees it, with its title where it has one."""
        return self.clean(whole(passage), limit)

    def length(self, passage: Passage) -> int:
        """Return the characters of a passage, with its title, that a limit is applied to."""
        return len(one_line(whole(passage)))


def whole(passage: Passage) -> str:
    """Return a passage's text with its title, where it has one, in front."""
    if passage.title.strip():
        return f"Title: {passage.title} Content: {passage.text}"
    return passage.text


def one_line(text: str) -> str:
    """Return a text on one line, without control characters."""
    return " ".join(_CONTROL.sub(" ", text).split())


def first_characters(text: str, count: int) -> str:
    """Return the first characters of `one_line(text)`, in time that does not grow with the rest."""
    size = 2 * count
    while len(line := one_line(text[:size])) < count and size < len(text):
        size *= 2
    return line[:count]
