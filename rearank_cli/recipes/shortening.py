"""Where to cut passages next when a prompt was too long."""

from rearank_cli.errors import PromptTooLong, RearankError

# Passages cut below this many characters say nothing; the query then does not fit.
MIN_PASSAGE_CHARS = 16
# Every step takes a tenth at least, so that few steps are needed, and half where nobody knows.
_LEAST = 0.9
_UNTOLD = 0.5


def shorter(limit: int, longest: int, error: PromptTooLong) -> int:
    """Return a smaller limit for passages, in characters, after a prompt was too long.

    `limit` is where they were cut; `longest` is the length of the longest of them before that
    (`Cleaner.length`). Both count the text itself, not the spaces that breaking control tokens
    adds: those differ from cut to cut, and a limit that is a share of the length shown may be
    no smaller than the one before. The result is smaller than both, so that every prompt is shorter
    than the one before. Raises `RearankError` when passages cannot get shorter: then the query
    itself is too long.
    """
    share = error.limit / error.tokens if error.tokens > 0 else _UNTOLD
    smaller = int(min(limit, longest) * max(0.0, min(share, _LEAST)))
    if smaller < MIN_PASSAGE_CHARS:
        raise RearankError(
            f"the query does not fit the model: {error.message}",
            hint="shorten the query, lower `max_tokens` or `window`, or raise `max_model_len`",
        ) from error
    return smaller
