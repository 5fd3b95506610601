"""How well a passage explains the query: the mean log-probability of the query's tokens after it.

D. Sachan et al.: "Improving Passage Retrieval with Zero-Shot Question Generation"
(arXiv 2204.07496, 2022).
"""

from math import fsum, isfinite, nan

from rearank_cli.methods.answers.form import Form
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Score the one passage of an ask by the mean over the continuation's tokens, in nats."""
    logprobs = [token.logprob for token in completion.tokens]
    try:
        mean = fsum(logprobs) / len(logprobs)
    except (ArithmeticError, ValueError):  # no tokens, or numbers that no model means
        mean = nan
    scores = {ask.doc_ids[0]: mean} if isfinite(mean) else {}
    return Answer(ask.doc_ids, scores, Flaws(no_answer=not scores))
