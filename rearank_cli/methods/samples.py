"""Asking more than once: permutation self-consistency (R. Tang et al., arXiv 2310.07712).

What a model says of passages depends on the order in which they are shown. So each is asked about
several times, in shuffled orders, and the answers are made one.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace

from rearank_cli.methods.base import Answer, Ask, Plan, Result, Stage
from rearank_cli.methods.consensus import nearest
from rearank_cli.methods.scoring import mean_scores
from rearank_cli.methods.seeding import shuffled


def sampled(plan: Plan, samples: int, shuffle: bool) -> Plan:
    """Follow a plan, but ask everything `samples` times; the plan hears one answer for each ask.

    With `shuffle` the first sample shows the passages as the plan does, all others shuffled.
    """
    if samples == 1:
        return plan
    return _sampled(plan, samples, shuffle)


def _sampled(plan: Plan, samples: int, shuffle: bool) -> Generator[Stage, Sequence[Answer], Result]:
    try:
        stage = next(plan)
        while True:
            asks = [_other(ask, sample, shuffle) for ask in stage.asks for sample in range(samples)]
            answers = yield Stage(asks, stage.ranking)
            merged = [
                merge(answers[place * samples : (place + 1) * samples], ask)
                for place, ask in enumerate(stage.asks)
            ]
            stage = plan.send(merged)
    except StopIteration as end:
        result: Result = end.value
        return result


def _other(ask: Ask, sample: int, shuffle: bool) -> Ask:
    shown = shuffled(ask.doc_ids, sample) if shuffle and sample else ask.doc_ids
    return replace(ask, doc_ids=shown, sample=sample, needs=None, wanted=None)


def merge(answers: Sequence[Answer], ask: Ask) -> Answer:
    """Return one answer from several to the same ask.

    Where all documents have scores, these are averaged and the ranking follows them; else the
    ranking is the one nearest to all (`consensus.nearest`). Answers in which nothing was found
    say nothing and do not count.
    """
    told = [answer for answer in answers if not answer.flaws.no_answer]
    scores = mean_scores(told)
    if set(scores) == set(ask.doc_ids):
        ranking = tuple(sorted(ask.doc_ids, key=lambda doc_id: -scores[doc_id]))
        return Answer(ranking, scores)
    if not told:
        return Answer(ask.doc_ids)
    return Answer(nearest([answer.ranking for answer in told], ask.doc_ids))
