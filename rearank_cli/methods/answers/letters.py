"""A whole order from one token: the log-probabilities of the passages' letters.

R. Gangi Reddy et al.: "FIRST: Faster Improved Listwise Reranking with Single Token Decoding"
(arXiv 2406.15657, 2024).
"""

from math import inf, isfinite

from rearank_cli.methods.answers.form import Form
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Sort the passages by the log-probability of their identifiers; ties stay as shown.

    Those for which the engine has none are `missing` and follow as shown.
    """
    named = dict(zip(form.identifiers(len(ask.doc_ids)), ask.doc_ids, strict=True))
    scores = {
        doc_id: score
        for name, doc_id in named.items()
        if isfinite(score := completion.choices.get(name, -inf))
    }
    ranked = sorted(scores, key=lambda doc_id: -scores[doc_id])
    lost = [doc_id for doc_id in ask.doc_ids if doc_id not in scores]
    missing = [number for number, doc_id in enumerate(ask.doc_ids, 1) if doc_id not in scores]
    flaws = Flaws(missing=tuple(missing) if scores else (), no_answer=not scores)
    return Answer((*ranked, *lost), scores, flaws, completion.reasoning, completion.text.strip())
