"""The first ranks of an order, read while the rest of it is still being written.

Only what is beyond doubt counts: a chain of identifiers in square brackets, `[3] > [1] = [2]`, that
begins with the first identifier after the reasoning. What has been read stays as it is, whatever is
written behind it, so that it does not matter in which pieces a text arrives. The reader of finished
answers may still find another order in the whole text: a second answer, say.
"""

import re

from rearank_cli.methods.answers.reading import THINK, THINK_END

_ANSWER_FIRST = re.compile(r"\s*<answer>", re.IGNORECASE)
_IDENTIFIER = r"\[\s?[0-9]{1,9}\s?\]"
_NEXT = re.compile(rf"(?P<think>{THINK.pattern})|{_IDENTIFIER}", re.IGNORECASE)
# The first identifier counts when the next one has begun: then it is known to be part of a chain.
_FIRST = re.compile(r"\[\s?([0-9]{1,9})\s?\](?=\s*[>=]\s*\[)")
_FURTHER = re.compile(r"\s*[>=]\s*\[\s?([0-9]{1,9})\s?\]")
# No tag and no identifier is longer, so that none is missed that arrives in two pieces.
_LONGEST = 16


class Beginning:
    """Reads the first `wanted` ranks of an order of `count` passages from a text that grows.

    `thinks` says that reasoning comes first, in the text. Each piece is looked at once. `found`
    are the identifiers that were read, as written.
    """

    def __init__(self, count: int, wanted: int, thinks: bool) -> None:
        """Have read nothing yet."""
        self._count = count
        self._wanted = wanted
        self._thinks = thinks
        self._begin()

    def _begin(self) -> None:
        self.found: list[int] = []
        self._ranks: dict[int, None] = {}
        self._inside = self._thinks
        self._tagged = self._linking = False
        self._at = self._seen = 0

    def read(self, text: str) -> tuple[int, ...]:
        """Return the old indices (from 0) of the first ranks; nothing until all are known.

        A text that is shorter than the last one is another try of the same answer.
        """
        if len(text) < self._seen:
            self._begin()
        self._seen = len(text)
        if self._inside and not self._tagged and _ANSWER_FIRST.match(text):
            self._inside = False  # there is no reasoning after all
        if not self._linking:
            self._find(text)
        while self._linking and len(self._ranks) < self._wanted:
            link = (_FURTHER if self.found else _FIRST).match(text, self._at)
            if link is None:
                return ()
            number = int(link[1])
            self.found.append(number)
            if 1 <= number <= self._count:
                self._ranks[number - 1] = None
            self._at = link.end()
        return tuple(self._ranks) if len(self._ranks) >= self._wanted else ()

    def _find(self, text: str) -> None:
        """Go on to the first identifier outside of reasoning."""
        while True:
            found = (THINK_END if self._inside else _NEXT).search(text, self._at)
            if found is None:
                self._at = max(self._at, len(text) - _LONGEST)
                return
            if not self._inside and not found["think"]:
                self._linking, self._at = True, found.start()
                return
            self._inside, self._at, self._tagged = not self._inside, found.end(), True
