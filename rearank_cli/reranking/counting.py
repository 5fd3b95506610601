"""What a reranking would take, counted without a model."""

from collections.abc import Sequence
from contextlib import aclosing

from rearank_cli.engines.dry import DryEngine
from rearank_cli.methods import Answer
from rearank_cli.records import Completion
from rearank_cli.reranking.chain import Candidates, Task
from rearank_cli.reranking.driver import Driver, Settings

UNTOLD = "? (a server does not tell its tokenizer)"


async def count(
    engine: DryEngine, settings: Settings, work: Sequence[Candidates]
) -> list[tuple[str, str]]:
    """Return what some work would take, as names and values; nothing is asked or written."""
    path = 0
    counting = _Counting(engine, settings)
    async with aclosing(counting.stream(work)) as results:
        async for _, result in results:
            path = max(path, max((trace.stage for trace in result.traces), default=0))
    tokens = f"{engine.prompt_tokens}" if engine.tokens else UNTOLD
    return [
        ("queries", f"{len(work)}"),
        ("windows", f"{counting.windows}"),
        ("in the cache", f"{counting.known}"),
        ("to ask", f"{counting.windows - counting.known}"),
        # Which passages a window shows depends on the answers below it; these are unknown.
        ("prompt tokens, if no passage moves", tokens),
        ("windows in the longest chain", f"{path}"),
    ]


class _Counting(Driver):
    """Takes what is not known to agree with the first stage, so that no passage moves.

    Counts `windows`, and those that are `known` to the cache as a whole.
    """

    windows = known = 0

    def read(self, completion: Completion, task: Task) -> Answer:
        """Read a known answer; for an unknown one, keep the order of the first stage."""
        self.windows += 1
        self.known += completion.cached
        if completion.cached:
            return super().read(completion, task)
        ranks = {doc_id: rank for rank, doc_id in enumerate(task.chain.first)}
        return Answer(tuple(sorted(task.ask.doc_ids, key=ranks.__getitem__)))
