"""What an answer is worth: the reward of REARANK (arXiv 2505.20046, section 3.3), pure functions.

Grades are given in the order in which the passages were shown. nDCG has linear gain and the
discount log2(rank + 1), as `nDCG@10` of ir_measures and trec_eval has; a grade below 0 gains
nothing. Orders come from the parser that reads answers when the program reranks, so that training
and reranking agree on what an answer says.

The paper defines rank = (nDCG - initial) / (best - initial). It does not say what happens when
the input order is already the best one (then it is undefined: `rank_reward` returns None and
`augment` drops such lists), nor how far below zero it may go (a random order can reach -27 where
the two are close; we clip). Under GRPO's z-score within a group this map is affine and cancels:
the advantages equal those of plain nDCG as long as nothing is clipped and the other parts of the
reward are equal within the group. It is still the readable number, and it does matter when
rewards are scaled by batch or not at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from rearank_cli.methods.answers.order import parse

CUTOFF = 10
# Our choice: an answer can lose as much as a perfect one gains, and no single list outweighs
# hundreds of others.
FLOOR = -1.0
# Two orders closer than this in DCG are one: there is nothing to gain from such a list.
_NOTHING = 1e-9
_SHAPE = re.compile(
    r"\s*<think>(?P<thoughts>.*?)</think>\s*<answer>(?P<answer>.*?)</answer>\s*",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"</?(?:think|answer)>", re.IGNORECASE)
_CHAIN = re.compile(r"\[\s*[0-9]+\s*\](?:\s*>\s*\[\s*[0-9]+\s*\])*")


@dataclass(frozen=True, slots=True)
class Weights:
    """How the parts are summed; 0.8, 0.1, 0.1 are the paper's.

    `recall` is ReasonRank's extra term (arXiv 2508.07050, section 4.2): in a sliding window, what
    stays in the top 10 is seen again by the next window, and nDCG@10 of one window does not value
    that. The paper has none of it, so its default is 0.
    """

    rank: float = 0.8
    tags: float = 0.1
    listed: float = 0.1
    recall: float = 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A list as the model saw it: grades in the order shown.

    `ideal` are the grades of the query's full judgements, by default those of the list; `thinks`
    says whether the prompt asks for reasoning.
    """

    grades: Sequence[int]
    ideal: Sequence[int] = ()
    thinks: bool = True


@dataclass(frozen=True, slots=True)
class Parts:
    """What one answer earns; `rank` is None where no order is better than the one shown."""

    rank: float | None
    tags: float
    listed: float
    recall: float
    ndcg: float

    def total(self, weights: Weights) -> float | None:
        """Return the weighted sum, or None where the rank part is undefined."""
        if self.rank is None:
            return None
        return (
            weights.rank * self.rank
            + weights.tags * self.tags
            + weights.listed * self.listed
            + weights.recall * self.recall
        )


def dcg(grades: Sequence[int], cutoff: int = CUTOFF) -> float:
    """Return sum(grade / log2(rank + 1)) over the first `cutoff` ranks, ranks from 1."""
    return sum(max(grade, 0) / log2(rank + 2) for rank, grade in enumerate(grades[:cutoff]))


def ndcg(grades: Sequence[int], ideal: Sequence[int], cutoff: int = CUTOFF) -> float:
    """Return DCG over that of `ideal`, the grades of all judged documents of the query.

    0 for a query without relevant documents, as trec_eval has it.
    """
    best = dcg(sorted(ideal, reverse=True), cutoff)
    return dcg(grades, cutoff) / best if best else 0.0


def rank_reward(
    order: Sequence[int],
    grades: Sequence[int],
    cutoff: int = CUTOFF,
    floor: float = FLOOR,
) -> float | None:
    """Return how much of the possible gain an order makes: 0 as shown, 1 the best (eq. 6).

    (DCG - initial) / (best - initial): the ideal DCG of the full judgements cancels. Clipped
    below at `floor`. `order[i]` is the shown position (from 0) of the passage now at i. None when
    the order shown is already the best.
    """
    initial = dcg(grades, cutoff)
    gain = dcg(sorted(grades, reverse=True), cutoff) - initial
    if gain < _NOTHING:
        return None
    return max(floor, (dcg([grades[index] for index in order], cutoff) - initial) / gain)


def loss_reward(order: Sequence[int], grades: Sequence[int], cutoff: int = CUTOFF) -> float | None:
    """Return how much of what a list shown in its best order can lose an order loses.

    (DCG - best) / (best - worst): 0 for the best order, -1 for the worst. None when all orders
    are worth the same. Ours; the paper's lists of 20 in random order are hardly ever ideal.
    """
    best = dcg(sorted(grades, reverse=True), cutoff)
    span = best - dcg(sorted(grades), cutoff)
    if span < _NOTHING:
        return None
    return (dcg([grades[index] for index in order], cutoff) - best) / span


def recall_reward(order: Sequence[int], grades: Sequence[int], cutoff: int = CUTOFF) -> float:
    """Return the share of the relevant passages shown that the first `cutoff` ranks hold.

    Relevant is a grade above 0; of more than `cutoff` relevant ones only that many can count.
    0 where none is relevant.
    """
    relevant = sum(grade > 0 for grade in grades)
    kept = sum(grades[index] > 0 for index in order[:cutoff])
    return kept / min(relevant, cutoff) if relevant else 0.0


def tag_reward(text: str, thinks: bool = True) -> float:
    """Return 1 if the answer has its parts: `<think>…</think>` then `<answer>…</answer>`.

    The paper asks for both pairs of tags. So that this cannot be had cheaply we ask for exactly
    one of each, in this order, thoughts that are not empty, and nothing before or after. For a
    prompt without reasoning: no tags at all.
    """
    if not thinks:
        return float(bool(text.strip()) and not _TAG.search(text))
    shape = _SHAPE.fullmatch(text)
    if not shape or not shape["thoughts"].strip():
        return 0.0
    return float(not _TAG.search(shape["thoughts"]) and not _TAG.search(shape["answer"]))


def list_reward(text: str, count: int, thinks: bool = True) -> float:
    """Return 1 if the answer is `[3] > [1] > [2]`, with every identifier exactly once.

    The paper asks for the form alone; ours also asks for a full permutation, since otherwise
    `[1]` would be a well-formed order of 20 passages.
    """
    if thinks and "</answer>" not in text.lower():
        return 0.0
    read = parse(text, count)
    return float(not read.flaws.names() and _CHAIN.fullmatch(read.answer) is not None)


def score(
    text: str,
    shown: Shown,
    *,
    cut: bool = False,
    floor: float = FLOOR,
    keep_ideal: bool = False,
) -> Parts:
    """Return what an answer to a list earns, part by part.

    `cut` says that the answer was ended by the token limit. An answer without any identifier
    keeps the order shown, as it does when reranking: its rank part is 0. With `keep_ideal` the
    rank part of a list shown in its best order is `loss_reward`.
    """
    grades, thinks = shown.grades, shown.thinks
    order = parse(text, len(grades), cut=cut, thinks=thinks).order
    rank = rank_reward(order, grades, floor=floor)
    if rank is None and keep_ideal:
        rank = loss_reward(order, grades)
    return Parts(
        rank=rank,
        tags=0.0 if cut else tag_reward(text, thinks),
        listed=0.0 if cut else list_reward(text, len(grades), thinks),
        recall=recall_reward(order, grades),
        ndcg=ndcg([grades[index] for index in order], shown.ideal or grades),
    )
