"""Chance that is the same every time: shuffles that depend on the documents and nothing else."""

import random
from collections.abc import Sequence

from rearank_cli.records import Ranking


def shuffled(doc_ids: Sequence[str], sample: int) -> Ranking:
    """Return doc ids in an order that follows from them and the number of the sample alone.

    So a query's shuffles never depend on when its turn comes, or on the queries beside it.
    """
    order = list(doc_ids)
    random.Random(f"{sample}\n" + "\n".join(doc_ids)).shuffle(order)
    return tuple(order)
