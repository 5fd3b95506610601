"""Lists for contrastive training: a relevant passage of a query among hard ones.

Hard passages are the first stage's own hits that nobody judged relevant. What says nearly the same
as another passage of the list is left out: it would be called wrong for no fault of its own.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from rearank_cli.collection import Collection, Judgements
from rearank_cli.errors import RearankError
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage, Run
from rearank_cli.reranking.candidates import candidates
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.tally import Draw, Tally

Scores = Mapping[tuple[str, str], float]
"""A teacher's scores by query id and doc id."""

Example = dict[str, Any]
NO_HARD = "too few hard passages"
NO_SCORE = "without a teacher's score"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Contrast:
    """How lists are drawn.

    `size` passages a list, one of them relevant; the others are drawn from the first `depth` hits.
    A query has at most `draws` lists, each with another relevant passage. Two passages are near
    duplicates when they share more than `alike` of their different words (Jaccard). Raises
    `RearankError` for numbers that cannot work.
    """

    size: int = 6
    depth: int = 20
    draws: int = 4
    alike: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 2 <= self.size <= self.depth:
            raise RearankError(
                f"expected 2 <= `window` <= `depth`, found {self.size} and {self.depth}"
            )
        if self.draws < 1:
            raise RearankError(f"expected `draws` to be at least 1, found {self.draws}")


@dataclass(frozen=True)
class Contrasts:
    """Draws lists; `texts` has every passage, and `show` is how one is shown."""

    work: Sequence[Candidates]
    judgements: Judgements
    texts: Mapping[str, Passage]
    show: Callable[[Passage], str]
    how: Contrast
    teacher: Scores | None = None

    def draw(self, tally: Tally) -> Iterator[Example]:
        """Yield a list for each query and relevant passage; the same seed gives the same lists.

        Queries take turns, and a list does not depend on other queries. The relevant passage is
        the first of its list: the loss does not see the order. `tally` counts what happened.
        """
        relevant = ((each, list(self._relevant(each, tally))) for each in self.work)
        queues = [(each, found) for each, found in relevant if found]
        for turn in range(self.how.draws):
            for each, found in queues:
                if turn < len(found):
                    yield from self._list(each, found[turn], tally)

    def _relevant(self, each: Candidates, tally: Tally) -> Iterator[str]:
        """Yield the relevant passages of a query, shuffled."""
        judged = self.judgements.get(each.query.query_id, {})
        found = [doc_id for doc_id, grade in judged.items() if grade > 0 and doc_id in self.texts]
        tally.skipped["without a relevant passage"] += not found
        tally.queries += bool(found)
        self._random(each, "").shuffle(found)
        yield from found

    def _random(self, each: Candidates, more: str) -> random.Random:
        """Return a query's own generator, whatever other queries there are."""
        return random.Random(f"{self.how.seed}:{each.query.query_id}:{each.query.text}:{more}")

    def _list(self, each: Candidates, relevant: str, tally: Tally) -> Iterator[Example]:
        tally.drawn += 1
        query_id = each.query.query_id
        judged = self.judgements.get(query_id, {})
        hits = self.judgements.allowed_hits(query_id, each.ranking[: self.how.depth])
        pool = [doc_id for doc_id in hits if judged.get(doc_id, 0) <= 0 and doc_id != relevant]
        self._random(each, relevant).shuffle(pool)
        doc_ids = self._unlike(relevant, pool)
        if len(doc_ids) < self.how.size:
            tally.dropped[NO_HARD] += 1
            return
        grades = tuple(judged.get(doc_id, 0) for doc_id in doc_ids)
        example: dict[str, Any] = {
            "query_id": query_id,
            "query": each.query.text,
            "doc_ids": doc_ids,
            "passages": [self.show(self.texts[doc_id]) for doc_id in doc_ids],
            "grades": list(grades),
        }
        if self.teacher is not None:
            scores = [self.teacher.get((query_id, doc_id)) for doc_id in doc_ids]
            if None in scores:
                tally.dropped[NO_SCORE] += 1
                return
            example["teacher"] = scores
        tally.keep(Draw(each.query, tuple(doc_ids), grades, tuple(sorted(grades, reverse=True))))
        yield example

    def _unlike(self, relevant: str, pool: Sequence[str]) -> list[str]:
        """Return the relevant passage and the first others of a pool that are unlike all before."""
        kept = [relevant]
        words = [self._words(relevant)]
        for doc_id in pool:
            if len(kept) == self.how.size:
                break
            own = self._words(doc_id)
            if all(_shared(own, other) <= self.how.alike for other in words):
                kept.append(doc_id)
                words.append(own)
        return kept

    def _words(self, doc_id: str) -> AbstractSet[str]:
        return set(_WORD.findall(self.show(self.texts[doc_id]).lower()))


def contrasts_of(
    collection: Collection,
    run: tuple[Run, str],
    recipe: Recipe,
    how: Contrast,
    teacher: Run | None = None,
) -> Contrasts:
    """Return what draws lists from a run, which comes with its name for messages.

    Passages are cut and shown as the recipe has it. `teacher` is the run of a better ranker.
    """
    work = candidates(*run, collection, how.depth + 1)
    judgements = collection.judgements()
    texts = dict(work[0].passages) if work else {}
    asked = [judgements.get(each.query.query_id, {}) for each in work]
    texts.update(collection.passages({doc for found in asked for doc, g in found.items() if g > 0}))
    cleaner = Cleaner()
    scores = None if teacher is None else _scores(teacher)
    show = lambda passage: cleaner.passage(passage, recipe.passage_chars)  # noqa: E731
    return Contrasts(work, judgements, texts, show, how, scores)


def _scores(run: Run) -> Scores:
    return {
        (query_id, doc_id): score
        for query_id, ranking in run.rankings.items()
        for doc_id, score in zip(ranking, run.scores[query_id], strict=True)
    }


def _shared(one: AbstractSet[str], other: AbstractSet[str]) -> float:
    """Return the share of different words of both that both have (Jaccard)."""
    return len(one & other) / max(len(one | other), 1)
