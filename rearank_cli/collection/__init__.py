"""Test collections: documents, queries and judgements under one name."""

from rearank_cli.collection.collection import Collection
from rearank_cli.collection.judgements import Judgements
from rearank_cli.collection.opening import open_collection

__all__ = ["Collection", "Judgements", "open_collection"]
