"""Test collections: documents, queries and judgements under one name."""

from rearank_cli.collection.base import Collection
from rearank_cli.collection.opening import open_collection

__all__ = ["Collection", "open_collection"]
