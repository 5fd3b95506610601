"""What each method takes and gives with the same noisy judge: `make bench-methods`.

No model is asked. A query has 100 hits with grades 0 to 3; the first stage scores each with its
grade and Gaussian noise. The judge sees a passage as its grade plus two kinds of noise: one that
belongs to the passage (a misunderstanding, the same in every ask) and one that is new in every ask.
Half of the variance is of each kind. The judge's errors in an order, a choice or a score are thus
of one size: what differs between rows is the method alone. Real models are not so fair: many
order better than they score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2, sqrt
from random import Random
from typing import Any

from rearank_cli.methods import Answer, Ask, Hit, make_method
from rearank_cli.records import Ranking

QUERIES = 200
HITS = 100
NOISES = (0.5, 1.0, 2.0)
# About one relevant passage in eight, as in judged pools of web passages.
GRADES = (0,) * 35 + (1,) * 3 + (2,) * 1 + (3,) * 1
FIRST_STAGE_NOISE = 1.5
PASSAGE_TOKENS = 100
FRAME_TOKENS = 150

Row = tuple[str, str, Mapping[str, Any], int, int]
# Label, method, numbers, tokens of an answer for each passage and for each ask.
ROWS: tuple[Row, ...] = (
    ("first stage", "", {}, 0, 0),
    ("sliding, order", "sliding", {}, 5, 0),
    ("sliding, order, 3 samples", "sliding", {"samples": 3, "shuffle": True}, 5, 0),
    ("sliding, letters", "sliding", {}, 0, 1),
    ("topdown, order", "topdown", {}, 5, 0),
    ("setwise, heap, 3 children", "setwise", {"children": 3}, 0, 4),
    ("setwise, heap, 9 children", "setwise", {"children": 9}, 0, 4),
    ("setwise, heap, 19 children", "setwise", {}, 0, 4),
    ("setwise, bubble, 9 children", "setwise", {"children": 9, "sort": "bubble"}, 0, 4),
    ("groups", "groups", {}, 8, 0),
    ("groups, 2 samples", "groups", {"samples": 2}, 8, 0),
    ("groups, 4 samples", "groups", {"samples": 4}, 8, 0),
    ("pointwise", "pointwise", {}, 0, 1),
    ("pointwise, scale 1", "pointwise", {"scale": 1.0}, 0, 1),
)


@dataclass(frozen=True)
class Query:
    """Hits with their grades; `seed` makes everything about it the same for every method."""

    seed: int
    hits: Sequence[Hit]
    grades: Mapping[str, int]


def query(seed: int) -> Query:
    """Return a query whose hits are in the first stage's order."""
    random = Random(f"query {seed}")
    grades = {f"d{number}": random.choice(GRADES) for number in range(HITS)}
    scored = [
        Hit(name, grade + random.gauss(0, FIRST_STAGE_NOISE)) for name, grade in grades.items()
    ]
    return Query(seed, sorted(scored, key=lambda hit: -hit.score), grades)


class Judge:
    """Answers asks about one query; `told` counts what it was shown."""

    def __init__(self, about: Query, noise: float) -> None:
        """Misunderstand some passages for good."""
        random = Random(f"judge {about.seed}")
        self._each = noise / sqrt(2)
        self._seen = {
            name: grade + random.gauss(0, self._each) for name, grade in about.grades.items()
        }
        self._random = Random(f"asks {about.seed}")
        self.asks = self.passages = 0

    def answer(self, ask: Ask) -> Answer:
        """Return the passages as the judge sees them this time, with its scores."""
        self.asks += 1
        self.passages += len(ask.doc_ids)
        seen = {name: self._seen[name] + self._random.gauss(0, self._each) for name in ask.doc_ids}
        return Answer(tuple(sorted(ask.doc_ids, key=lambda name: -seen[name])), seen)


def follow(
    about: Query, judge: Judge, name: str, numbers: Mapping[str, Any], scored: bool
) -> tuple[Ranking, int]:
    """Follow a method to its end; return the ranking and how many stages followed each other."""
    plan = make_method(name, numbers).plan(about.hits)
    stages = 0
    try:
        stage = next(plan)
        while True:
            stages += bool(stage.asks)
            answers = [judge.answer(ask) for ask in stage.asks]
            stage = plan.send(answers if scored else [Answer(each.ranking) for each in answers])
    except StopIteration as end:
        return end.value.ranking, stages


def ndcg(ranking: Ranking, grades: Mapping[str, int]) -> float:
    """Return nDCG@10 with gains as graded."""
    best = sorted(grades.values(), reverse=True)
    gained, ideal = (
        sum(grade / log2(rank + 1) for rank, grade in enumerate(each[:10], 1))
        for each in ([grades[name] for name in ranking], best)
    )
    return gained / ideal if ideal else 1.0


def line(row: Row) -> str:
    """Return a row of the table: calls, longest chain, tokens, and nDCG@10 at each noise."""
    label, name, numbers, passage_tokens, ask_tokens = row
    queries = [query(seed) for seed in range(QUERIES)]
    if not name:
        mean = sum(ndcg(tuple(h.doc_id for h in q.hits), q.grades) for q in queries) / QUERIES
        return f"| {label} | | | | | " + " | ".join(f"{mean:.3f}" for _ in NOISES) + " |"
    calls = shown = chain = 0
    figures = []
    for noise in NOISES:
        total = 0.0
        for each in queries:
            judge = Judge(each, noise)
            scored = name in ("groups", "pointwise") or "letters" in label
            ranking, stages = follow(each, judge, name, numbers, scored)
            total += ndcg(ranking, each.grades)
            calls, shown, chain = calls + judge.asks, shown + judge.passages, chain + stages
        figures.append(f"{total / QUERIES:.3f}")
    runs = QUERIES * len(NOISES)
    tokens_in = (shown * PASSAGE_TOKENS + calls * FRAME_TOKENS) / runs
    tokens_out = (shown * passage_tokens + calls * ask_tokens) / runs
    cost = f"{calls / runs:.0f} | {chain / runs:.1f} | {tokens_in:,.0f} | {tokens_out:,.0f}"
    return f"| {label} | {cost} | {' | '.join(figures)} |"


if __name__ == "__main__":
    heads = " | ".join(f"noise {noise}" for noise in NOISES)
    print(f"| method | calls | longest chain | tokens in | tokens out | {heads} |")
    print("|---|" + "--:|" * (4 + len(NOISES)))
    for each in ROWS:
        print(line(each))
