"""The one best passage of an ask, named by the model, or read from log-probabilities."""

import re

from rearank_cli.methods.answers import letters
from rearank_cli.methods.answers.form import LETTERS, Form
from rearank_cli.methods.answers.reading import first_told
from rearank_cli.methods.answers.shapes import identifiers
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws

_BRACKETED = re.compile(r"\[\s*([0-9]{1,9}|[A-Za-z])\s*\]")
# Nothing but an identifier, perhaps called a passage, perhaps emphasised.
_BARE = re.compile(
    r"\W*(?:(?:passage|document|doc|answer|identifier)\W+)?([0-9]{1,9}|[A-Za-z])\W*", re.IGNORECASE
)


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Read which passage was chosen; it comes first, the others stay as shown.

    An answer names one passage, in brackets or alone; of an order the first counts. Anything else
    is no answer, and so is an identifier that there is not, which is noted as `unknown`.
    """
    if form.logprobs:
        return letters.read(completion, ask, form)
    count = len(ask.doc_ids)
    cut = completion.finish_reason == "length"
    unfinished = cut and form.thinks and not completion.reasoning
    reading, chosen = first_told(
        completion.text, unfinished, lambda reading: _named(reading.answer, count, form)
    )
    known = chosen is not None and 1 <= chosen <= count
    flaws = Flaws(
        unknown=(chosen,) if chosen is not None and not known else (),
        truncated=cut and not reading.complete,
        no_answer=chosen is None,
    )
    ranking = ask.doc_ids
    if known and chosen is not None:
        best = ranking[chosen - 1]
        ranking = (best, *(doc_id for doc_id in ranking if doc_id != best))
    return Answer(ranking, {}, flaws, completion.reasoning or reading.reasoning, reading.answer)


def _named(answer: str, count: int, form: Form) -> int | None:
    """Return the number of the passage that an answer names."""
    bare = _BARE.fullmatch(answer)
    names = [bare[1]] if bare else _BRACKETED.findall(answer)
    numbers = {number for name in names if (number := _number(name, form)) is not None}
    if len(numbers) == 1:
        return numbers.pop()
    if form.letters or not numbers:
        return None
    return next(iter(identifiers(answer, count, tagged=False)), None)


def _number(name: str, form: Form) -> int | None:
    if form.letters:
        return LETTERS.index(name.upper()) + 1 if name.upper() in LETTERS else None
    return int(name) if name.isdigit() else None
