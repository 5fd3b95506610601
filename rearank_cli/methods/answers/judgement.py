"""How relevant one passage is: the probability of yes against no, or an expected number."""

import re
from collections.abc import Mapping
from math import exp, inf, isfinite

from rearank_cli.methods.answers.form import Form, numeric
from rearank_cli.methods.answers.reading import first_told
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Read the judgement of the one passage of an ask as its score.

    From log-probabilities: with the words for yes and no, the probability of yes among both
    (R. Nogueira et al., arXiv 2003.06713); with numbers, their expected value. From text: 1 for
    the word for yes and 0 for no, or the number itself; anything else is no answer.
    """
    reasoning, text, truncated = completion.reasoning, completion.text.strip(), False
    if form.logprobs:
        score = expected(completion.choices, form.words)
    else:
        cut = completion.finish_reason == "length"
        values = {_bare(word): value for word, value in _values(form.words).items()}
        reading, score = first_told(
            completion.text,
            cut and form.thinks and not completion.reasoning,
            lambda reading: _said(reading.answer, values),
        )
        reasoning, text = reasoning or reading.reasoning, reading.answer
        truncated = cut and not reading.complete
    flaws = Flaws(truncated=truncated, no_answer=score is None)
    scores = {} if score is None else {ask.doc_ids[0]: score}
    return Answer(ask.doc_ids, scores, flaws, reasoning, text)


def expected(choices: Mapping[str, float], words: tuple[str, ...]) -> float | None:
    """Return the expected value of the words under their log-probabilities; None without any.

    Words of which the engine tells nothing count as impossible.
    """
    known = {word: choices[word] for word in words if isfinite(choices.get(word, -inf))}
    if not known:
        return None
    most = max(known.values())
    shares = {word: exp(logprob - most) for word, logprob in known.items()}
    values = _values(words)
    return sum(values[word] * share for word, share in shares.items()) / sum(shares.values())


def _values(words: tuple[str, ...]) -> dict[str, float]:
    if numeric(words):
        return {word: float(word) for word in words}
    yes, no = words
    return {yes: 1.0, no: 0.0}


def _said(answer: str, values: Mapping[str, float]) -> float | None:
    return values.get(_bare(answer))


def _bare(word: str) -> str:
    """Return a word without what stands around it, such as quotes or a full stop."""
    return re.sub(r"^\W+|\W+$", "", word).lower()
