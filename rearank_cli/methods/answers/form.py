"""How a recipe wants its answers: what passages are called, which words count, where they stand."""

from dataclasses import dataclass
from string import ascii_uppercase

LETTERS = tuple(ascii_uppercase)


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an answer, as a recipe says it.

    `thinks`: reasoning comes before it. `letters`: passages are called A, B, C …, and not 1, 2, 3.
    `logprobs`: it is read from the log-probabilities of the first token, and not from the text.
    `words`: what a judgement may be: first the word for yes, then that for no; or numbers.
    """

    thinks: bool = False
    letters: bool = False
    logprobs: bool = False
    words: tuple[str, ...] = ()

    def identifiers(self, count: int) -> tuple[str, ...]:
        """Return what the passages of an ask are called, without brackets."""
        return LETTERS[:count] if self.letters else tuple(map(str, range(1, count + 1)))


def numeric(words: tuple[str, ...]) -> bool:
    """Tell whether all words of a judgement are whole numbers."""
    return all(word.isascii() and word.isdigit() for word in words)
