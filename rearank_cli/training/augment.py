"""Many candidate lists from few judged queries: the paper's data augmentation (section 4.1)."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from rearank_cli.collection.judgements import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.records import Query
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.reward import CUTOFF, ndcg, rank_reward
from rearank_cli.training.tally import Draw, Tally

Order = Literal["drawn", "retrieved", "shuffled"]
ORDERS: tuple[Order, ...] = ("drawn", "retrieved", "shuffled")
# Where a target count is asked for, draws per query end here: beyond, a query yields repeats.
MAX_DRAWS = 2000
T = TypeVar("T")

# Why a list is dropped; the words are those of the statistics.
NO_RELEVANT = "no relevant passage"
LOW_INITIAL = "low initial nDCG@10"
LOW_BEST = "low best nDCG@10"
ALREADY_IDEAL = "already ideal"
REPEATED = "drawn before"
TOO_LONG = "prompt too long"


@dataclass(frozen=True, slots=True)
class Drawing:
    """How lists are drawn.

    `sizes` are the smallest and largest list; `depth` the hits drawn from; `draws` the draws per
    query, or with a `target` that many lists in all, however many draws it takes. `order` is how a
    list is shown: as `drawn`, as `retrieved`, or `shuffled`, that is drawn and shown at random
    independently, so that the sets are those of `retrieved`. Lists whose nDCG@10 as shown is below
    `min_initial`, or whose best one is below `min_best`, are dropped, and so are those already in
    ideal order unless `keep_ideal`. Raises `RearankError` for numbers that cannot work.
    """

    sizes: tuple[int, int] = (20, 20)
    depth: int = 100
    draws: int = 50
    target: int | None = None
    order: Order = "drawn"
    min_initial: float = 0.1
    min_best: float = 0.0
    keep_ideal: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 2 <= self.sizes[0] <= self.sizes[1] <= self.depth:
            raise RearankError(
                f"expected 2 <= `window` <= `depth`, found a window of {_span(self.sizes)} "
                f"and a depth of {self.depth}"
            )
        for name in ("draws", "target"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RearankError(f"expected `{name}` to be at least 1, found {value}")
        if self.order not in ORDERS:
            raise RearankError(f"`order`: expected one of {', '.join(ORDERS)}, found {self.order}")


def _span(sizes: tuple[int, int]) -> str:
    return str(sizes[0]) if sizes[0] == sizes[1] else f"{sizes[0]}-{sizes[1]}"


@dataclass(frozen=True)
class _Pool:
    """One query's hits to draw from; the generator is its own, whatever other queries there are."""

    query: Query
    hits: tuple[str, ...]
    judged: Mapping[str, int]
    generator: random.Random

    def draw(self, drawing: Drawing) -> Draw:
        low, high = (min(size, len(self.hits)) for size in drawing.sizes)
        size = low if low == high else self.generator.randint(low, high)
        places = self.generator.sample(range(len(self.hits)), size)
        if drawing.order != "drawn":
            places.sort()
        if drawing.order == "shuffled":
            random.Random(f"{drawing.seed}:{places}").shuffle(places)
        doc_ids = tuple(self.hits[place] for place in places)
        ideal = sorted((grade for grade in self.judged.values() if grade > 0), reverse=True)
        return Draw(
            self.query,
            doc_ids,
            tuple(self.judged.get(doc_id, 0) for doc_id in doc_ids),
            tuple(ideal[:CUTOFF]),
        )


def augment(
    work: Sequence[Candidates],
    judgements: Judgements,
    drawing: Drawing,
    render: Callable[[Draw], T | None],
    tally: Tally,
) -> Iterator[T]:
    """Yield what `render` makes of every list that is kept; the same seed gives the same lists.

    Queries take turns, one draw each. `render` returns None for a list that is too long. `tally`
    counts what happened.
    """
    pools = list(_pools(work, judgements, drawing, tally))
    seen: set[tuple[str, ...]] = set()
    for draw in _draws(pools, drawing):
        tally.drawn += 1
        key = (draw.query.query_id, *draw.doc_ids)
        flaw = REPEATED if key in seen else _flaw(draw, drawing)
        seen.add(key)
        rendered = None if flaw else render(draw)
        if rendered is None:
            tally.dropped[flaw or TOO_LONG] += 1
            continue
        tally.keep(draw)
        yield rendered
        if tally.kept == drawing.target:
            return


def _draws(pools: Sequence[_Pool], drawing: Drawing) -> Iterator[Draw]:
    rounds = MAX_DRAWS if drawing.target else drawing.draws
    for _ in range(rounds):
        for pool in pools:
            yield pool.draw(drawing)


def _pools(
    work: Sequence[Candidates],
    judgements: Judgements,
    drawing: Drawing,
    tally: Tally,
) -> Iterator[_Pool]:
    for query, ranking, *_ in work:
        judged = judgements.get(query.query_id, {})
        hits = judgements.allowed_hits(query.query_id, ranking[: drawing.depth])
        if not judged:
            tally.skipped["without judgements"] += 1
        elif len(hits) < 2 or not any(judged.get(doc_id, 0) > 0 for doc_id in hits):
            tally.skipped["without a relevant hit"] += 1
        else:
            tally.queries += 1
            seed = f"{drawing.seed}:{query.query_id}:{query.text}"
            yield _Pool(query, hits, judged, random.Random(seed))


def _flaw(draw: Draw, drawing: Drawing) -> str | None:
    """Return why a list is not fit for training, or None."""
    if not any(grade > 0 for grade in draw.grades):
        return NO_RELEVANT
    if ndcg(sorted(draw.grades, reverse=True), draw.ideal) < drawing.min_best:
        return LOW_BEST
    if draw.initial < drawing.min_initial:
        return LOW_INITIAL
    if not drawing.keep_ideal and rank_reward(range(len(draw.grades)), draw.grades) is None:
        return ALREADY_IDEAL
    return None
