"""Windows of tiny traces, for the tests of explain and report."""

from typing import Any

from rearank_cli.records import Flaws
from rearank_cli.reranking.trace import AskTrace


def window(start: int, before: str, after: str, **more: Any) -> AskTrace:
    """Return a window over documents with one-letter ids; everything else has a quiet default.

    `start` is the index of its first rank, and `hits` the ranking before the first of them.
    """
    first = start + 1
    values: dict[str, Any] = {
        "query_id": "q1",
        "query": "why?",
        "pass_": 1,
        "stage": 1,
        "place": 1,
        "before": tuple(before),
        "after": tuple(after),
        "ranks_before": tuple(range(first, first + len(before))),
        "ranks_after": tuple(first + (after + before).index(each) for each in before),
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "seconds": 2.0,
        "passage_chars": 400,
    }
    values.update(more)
    values["hits"] = tuple(values.get("hits", ()))
    return AskTrace(**values)


# abcde: the lower window lifts e to rank 2, the upper one lifts it to rank 1.
LOWER = window(
    1, "bcde", "ebcd", hits="abcde", reasoning="[4] fits. [1] does not.", answer="[4] > [1]"
)
UPPER = window(
    0,
    "aebc",
    "eabc",
    stage=2,
    reasoning="Passage 2 it is.",
    answer="[2]",
    flaws=Flaws(missing=(1, 3, 4)),
)
