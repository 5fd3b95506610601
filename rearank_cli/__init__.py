"""rearank: listwise LLM reranking as Unix filters over TREC runs."""

__version__ = "0.1.0"
