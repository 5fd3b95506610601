"""rearank: rerank TREC runs with large language models, as Unix filters or from Python.

    from rearank_cli import Reranker, evaluate, open_collection, read_run

    with Reranker("le723z/Rearank-7B") as reranker:
        new = reranker.rerank(read_run("bm25.trec"), open_collection("demo"))

Importing this package imports nothing else; each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rearank_cli.collection.collection import Collection
    from rearank_cli.collection.judgements import Judgements
    from rearank_cli.collection.opening import open_collection
    from rearank_cli.engines.base import Engine
    from rearank_cli.errors import RearankError
    from rearank_cli.evaluation.evaluate import evaluate
    from rearank_cli.evaluation.fusion import fuse
    from rearank_cli.formats.trec import read_run, write_run
    from rearank_cli.lucene.search import search
    from rearank_cli.methods.base import Answer, Ask, Hit, Method, Result, Stage
    from rearank_cli.recipes.recipe import Recipe
    from rearank_cli.records import Passage, Qrel, Query, Run
    from rearank_cli.reranking.reranker import Reranker

__version__ = "0.2.0"

_HOMES = {
    "Answer": "methods.base",
    "Ask": "methods.base",
    "Collection": "collection.collection",
    "Engine": "engines.base",
    "Hit": "methods.base",
    "Judgements": "collection.judgements",
    "Method": "methods.base",
    "Passage": "records",
    "Qrel": "records",
    "Query": "records",
    "RearankError": "errors",
    "Recipe": "recipes.recipe",
    "Reranker": "reranking.reranker",
    "Result": "methods.base",
    "Run": "records",
    "Stage": "methods.base",
    "evaluate": "evaluation.evaluate",
    "fuse": "evaluation.fusion",
    "open_collection": "collection.opening",
    "read_run": "formats.trec",
    "search": "lucene.search",
    "write_run": "formats.trec",
}
__all__ = [  # written out, so that type checkers see what is exported
    "Answer",
    "Ask",
    "Collection",
    "Engine",
    "Hit",
    "Judgements",
    "Method",
    "Passage",
    "Qrel",
    "Query",
    "RearankError",
    "Recipe",
    "Reranker",
    "Result",
    "Run",
    "Stage",
    "evaluate",
    "fuse",
    "open_collection",
    "read_run",
    "search",
    "write_run",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the room that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
