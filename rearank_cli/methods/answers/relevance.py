"""How relevant one passage is, as a model says that was made to score pairs (a cross-encoder)."""

from contextlib import suppress
from math import isfinite

from rearank_cli.methods.answers.form import Form
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Read the number as the score of the one passage of an ask; its scale is the model's own."""
    scores = {}
    with suppress(ValueError):
        score = float(completion.text)
        scores = {ask.doc_ids[0]: score} if isfinite(score) else {}
    return Answer(ask.doc_ids, scores, Flaws(no_answer=not scores), text=completion.text)
