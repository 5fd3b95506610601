"""What a reranking would take, counted without a model."""

from collections.abc import Sequence
from contextlib import aclosing

from rearank_cli.engines.dry import DryEngine
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.driver import Driver, Settings


async def count(
    engine: DryEngine, settings: Settings, work: Sequence[Candidates]
) -> list[tuple[str, str]]:
    """Return what some work would take, as names and values; nothing is asked or written."""
    async with aclosing(Driver(engine, settings).stream(work)) as results:
        async for _ in results:
            pass
    path = max((settings.path(len(each.ranking)) for each in work), default=0)
    return [
        ("queries", f"{len(work)}"),
        ("windows", f"{engine.calls}"),
        ("in the cache", f"{engine.known}"),
        ("to ask", f"{engine.calls - engine.known}"),
        # Which passages a window shows depends on the answers below it; these are unknown.
        ("prompt tokens, if no passage moves", f"{engine.prompt_tokens}" if engine.tokens else "?"),
        ("windows in the longest chain", f"{path}"),
    ]
