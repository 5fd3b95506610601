"""What passages made likely: scores of passages that were asked about one by one, word by word."""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import NamedTuple

from rearank_cli.report.story import Story


class Word(NamedTuple):
    """A word of the query after one passage.

    `logprob` is its natural log-probability, the sum over its tokens, and `gain` how far that is
    above the mean over all passages of the query, in nats. The mean of a passage's gains is what
    its centred score is made of.
    """

    text: str
    logprob: float
    gain: float


def is_singly(story: Story) -> bool:
    """Return whether every ask of a query was about one passage, and some have scores."""
    return all(len(ask.before) == 1 for ask in story.windows) and any(
        ask.scores for ask in story.windows
    )


def scores(story: Story) -> dict[str, float]:
    """Return the score of each passage that was asked about alone, the mean where it was often."""
    found: dict[str, list[float]] = {}
    for ask in story.windows:
        if len(ask.before) == 1 and ask.scores and ask.scores[0] is not None:
            found.setdefault(ask.before[0], []).append(ask.scores[0])
    return {doc_id: fsum(values) / len(values) for doc_id, values in found.items()}


def likely_words(story: Story) -> dict[str, tuple[Word, ...]]:
    """Return the query's words after each passage; empty where the trace holds no tokens.

    Passages whose tokens differ from the others', as after another tokenizer, are left out.
    """
    asks = [ask for ask in story.windows if ask.tokens and len(ask.before) == 1]
    if not asks:
        return {}
    texts = [text for text, _ in asks[0].tokens]
    alike = {
        ask.before[0]: [logprob for _, logprob in ask.tokens]
        for ask in asks
        if [text for text, _ in ask.tokens] == texts
    }
    return _words(texts, alike)


def _words(
    texts: Sequence[str], alike: Mapping[str, Sequence[float]]
) -> dict[str, tuple[Word, ...]]:
    """Add up tokens to words, and compare each with its mean over the passages."""
    spans = list(_spans(texts))
    sums = {
        doc_id: [fsum(logprobs[start:end]) for start, end in spans]
        for doc_id, logprobs in alike.items()
    }
    means = [fsum(column) / len(sums) for column in zip(*sums.values(), strict=True)]
    names = ["".join(texts[start:end]).strip() for start, end in spans]
    return {
        doc_id: tuple(
            Word(name, value, value - mean)
            for name, value, mean in zip(names, values, means, strict=True)
        )
        for doc_id, values in sums.items()
    }


def _spans(texts: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Yield where words begin and end among tokens; a token that begins with a space begins one."""
    start = 0
    for place, text in enumerate(texts):
        if place > start and text[:1].isspace():
            yield start, place
            start = place
    if texts:
        yield start, len(texts)


def helped(words: Iterable[Word], most: int, least: float = 0.5) -> list[Word]:
    """Return the words with the greatest gains, at most `most`, of at least `least` nats."""
    found = sorted(words, key=lambda word: -word.gain)[:most]
    return [word for word in found if word.gain >= least]
