"""Digests of what a reranking started from."""

import hashlib
from collections.abc import Iterable

from rearank_cli.records import Query, Ranking


def input_digest(work: Iterable[tuple[Query, Ranking]]) -> str:
    """Return the SHA-256 of queries and rankings in their order, whatever file they came from."""
    digest = hashlib.sha256()
    for query, ranking in work:
        digest.update(repr((query, ranking)).encode())
    return digest.hexdigest()
