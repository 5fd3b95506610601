"""Ask a server through the rerank classes of frameworks, as they are: `frameworks.py URL`.

Runs in an environment that has them and need not have rearank; `clients.py` makes it. Every class
is asked ten times for the best 5 of 20 passages, and the server answers with the last first.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

DOCUMENTS = [f"passage {number}" for number in range(20)]
BEST, TIMES = 5, 10
EXPECTED = DOCUMENTS[: -BEST - 1 : -1]
QUERY = "why is the sky blue"


def load(module: str, name: str) -> Any:
    """Return a class of a package that may be missing elsewhere."""
    return getattr(importlib.import_module(module), name)


def langchain_cohere(url: str) -> list[str]:
    """LangChain's class for Cohere."""
    document = load("langchain_core.documents", "Document")
    compressor = load("langchain_cohere", "CohereRerank")(
        base_url=url, cohere_api_key="any", model="any", top_n=BEST
    )
    given = [document(page_content=text) for text in DOCUMENTS]
    found = compressor.compress_documents(given, QUERY)
    assert all(each.metadata["relevance_score"] > 0 for each in found)
    return [each.page_content for each in found]


def langchain_jina(url: str) -> list[str]:
    """LangChain's class for Jina, whose address is an attribute of its module."""
    module = importlib.import_module("langchain_community.document_compressors.jina_rerank")
    module.JINA_API_URL = f"{url}/v1/rerank"  # type: ignore[attr-defined]
    compressor = load("langchain_community.document_compressors", "JinaRerank")(
        jina_api_key="any", model="any", top_n=BEST
    )
    document = load("langchain_core.documents", "Document")
    given = [document(page_content=text) for text in DOCUMENTS]
    return [each.page_content for each in compressor.compress_documents(given, QUERY)]


def llama_cohere(url: str) -> list[str]:
    """LlamaIndex' postprocessor for Cohere."""
    made = load("llama_index.postprocessor.cohere_rerank", "CohereRerank")
    return _nodes(made(base_url=url, api_key="any", model="any", top_n=BEST))


def llama_jina(url: str) -> list[str]:
    """LlamaIndex' postprocessor for Jina."""
    made = load("llama_index.postprocessor.jinaai_rerank", "JinaRerank")
    return _nodes(made(base_url=f"{url}/v1", api_key="any", model="any", top_n=BEST))


def llama_tei(url: str) -> list[str]:
    """LlamaIndex' postprocessor for text-embeddings-inference."""
    made = load("llama_index.postprocessor.tei_rerank", "TextEmbeddingInference")
    return _nodes(made(base_url=url, top_n=BEST))


def _nodes(postprocessor: Any) -> list[str]:
    node, scored = (load("llama_index.core.schema", name) for name in ("TextNode", "NodeWithScore"))
    given = [scored(node=node(text=text), score=0.5) for text in DOCUMENTS]
    found = postprocessor.postprocess_nodes(given, query_str=QUERY)
    return [each.node.text for each in found]


CLASSES: Sequence[tuple[Callable[[str], list[str]], str]] = (
    (langchain_cohere, "langchain-cohere"),
    (langchain_jina, "langchain-community"),
    (llama_cohere, "llama-index-postprocessor-cohere-rerank"),
    (llama_jina, "llama-index-postprocessor-jinaai-rerank"),
    (llama_tei, "llama-index-postprocessor-tei-rerank"),
)


def main() -> int:
    """Ask through each class; print a line for each, and return 1 when one is wrong."""
    url, wrong = sys.argv[1], 0
    for ask, package in CLASSES:
        right = sum(ask(url) == EXPECTED for _ in range(TIMES))
        wrong += right != TIMES
        print(f"| {package} {version(package)} | {ask.__doc__} | {right} of {TIMES} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
