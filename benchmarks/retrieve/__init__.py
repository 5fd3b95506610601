"""Retrieval and indexing beside Pyserini and Anserini."""
