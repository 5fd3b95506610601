"""How much a server takes on, and how long it lets anybody wait."""

from dataclasses import dataclass

from rearank_cli.errors import RearankError

_ESCAPED = 6
"""Bytes of one character in JSON that escapes everything: `\\u00e9`."""
_REST = 1 << 20
"""Bytes of a body beside the texts that are read: names, numbers, metadata of documents."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a server.

    `queue` is how many requests may be under way at once, whether their windows wait or are being
    answered. `deadline` and `grace` are seconds: for one request, and for those under way when the
    server is told to stop. `documents` and `characters`, of query and documents together, are for
    one request. Raises `RearankError` for numbers that cannot work.
    """

    queue: int = 256
    deadline: float = 300.0
    grace: float = 60.0
    documents: int = 1000
    characters: int = 1_000_000

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, option in (
            ("queue", "queue"),
            ("documents", "max_documents"),
            ("characters", "max_characters"),
        ):
            if getattr(self, name) < 1:
                raise RearankError(
                    f"expected `{option}` to be at least 1, found {getattr(self, name)}"
                )
        if self.deadline <= 0:
            raise RearankError(f"expected `deadline` to be above 0, found {self.deadline:g}")
        if self.grace < 0:
            raise RearankError(f"expected `grace` to be 0 or more, found {self.grace:g}")

    @property
    def body(self) -> int:
        """The longest body that is read, in bytes."""
        return self.characters * _ESCAPED + _REST
