"""Windows of tiny traces, for the tests of explain and report."""

from typing import Any

from rearank_cli.records import Flaws
from rearank_cli.reranking.trace import WindowTrace


def window(start: int, before: str, after: str, **more: Any) -> WindowTrace:
    """Return a window over documents with one-letter ids; everything else has a quiet default."""
    values: dict[str, Any] = {
        "query_id": "q1",
        "query": "why?",
        "pass_": 1,
        "reasoning": "",
        "answer": "",
        "flaws": Flaws(),
        "finish_reason": "stop",
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "seconds": 2.0,
        "cached": False,
        "passage_chars": 400,
        "shortened": False,
    }
    stop = start + len(before)
    return WindowTrace(
        start=start, stop=stop, before=tuple(before), after=tuple(after), **{**values, **more}
    )


# abcde: the lower window lifts e to rank 2, the upper one lifts it to rank 1.
LOWER = window(1, "bcde", "ebcd", reasoning="[4] fits. [1] does not.", answer="[4] > [1]")
UPPER = window(
    0, "aebc", "eabc", reasoning="Passage 2 it is.", answer="[2]", flaws=Flaws(missing=(1, 3, 4))
)
