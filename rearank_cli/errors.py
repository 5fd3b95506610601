"""The errors that a person is meant to read.

`RearankError` (exit 2: bad input or usage)
  `MissingPart` (a collection lacks what was asked for; some commands can do without)
  `EngineError` (exit 1: the engine or a server failed; finished work is kept)
    `EngineStartError` (it never came up, so no single window is to blame)
    `PromptTooLong` (one prompt does not fit; the reranker shortens its passages and asks again)

`cli.main` turns them into one message and one hint on stderr. Nothing else may end a command.
"""


class RearankError(Exception):
    """A failure that the user can understand and act upon.

    `message` says what happened, as `place: expected …, found …` where there is a place;
    `hint` says what to do about it and may be empty.

    >>> from rearank_cli import RearankError, read_run
    >>> try:
    ...     read_run("nothing.trec")
    ... except RearankError as error:
    ...     print(error.message)
    nothing.trec: no such file
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the message and the hint apart, so that they can be printed apart."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class MissingPart(RearankError):
    """A collection has no such part; nothing is wrong with the parts that it has."""


class EngineError(RearankError):
    """The language model, or the server that runs it, failed."""

    exit_code = 1


class EngineStartError(EngineError):
    """The engine, or the server, was never ready; `exit_code` is 2 where the options are why."""

    def __init__(self, message: str, hint: str = "", exit_code: int = 1) -> None:
        """Say why, and whose fault it is."""
        super().__init__(message, hint)
        self.exit_code = exit_code


class PromptTooLong(EngineError):
    """A prompt leaves no room for its answer.

    `tokens` is the length of the prompt and `limit` the longest prompt that would have fitted,
    both in tokens; either is 0 where a server does not tell. `said` are the server's words, shown
    where there are no numbers.
    """

    def __init__(self, tokens: int, limit: int, said: str = "") -> None:
        """Say how long the prompt is and how long it may be."""
        length = f"{tokens} tokens" if tokens else "too many tokens"
        fits = f"the prompt has {length}; with its answer, at most {limit} fit"
        super().__init__(f"the prompt does not fit: {said}" if said and not limit else fits)
        self.tokens = tokens
        self.limit = limit
