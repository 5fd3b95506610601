"""The form of an answer as a regular expression, for engines that can keep a model to it.

A regular expression cannot forbid repeats: an order has as many identifiers as there are passages,
and those that it names twice take the places of others.
"""

import re
from collections.abc import Sequence

from rearank_cli.methods.answers.form import Form
from rearank_cli.methods.answers.reading import readings
from rearank_cli.records import Grammar

_SCORE, _DIGITS = "(0|[1-9][0-9]{0,2})", 3  # a number in JSON has no zeros in front


def order(form: Form, count: int) -> Grammar:
    """Return the form `[2] > [1]` with as many identifiers as there are passages."""
    one = choice(form, count)
    rest = rf"( > {one.regex}){{{count - 1}}}" if count > 1 else ""
    return Grammar(one.regex + rest, count * (one.longest + len(" > ")))


def choice(form: Form, count: int) -> Grammar:
    """Return the form `[2]`."""
    names = form.identifiers(count)
    return Grammar(rf"\[({'|'.join(names)})\]", _longest(names) + len("[]"))


def scores(form: Form, count: int) -> Grammar:
    """Return the form `{"[1]": 7, "[2]": 0}` with every identifier once."""
    names = form.identifiers(count)
    pairs = [rf'"\[{name}\]": {_SCORE}' for name in names]
    each = _longest(names) + len('"[]": , ') + _DIGITS
    return Grammar(rf"\{{{', '.join(pairs)}\}}", count * each + len("{}"))


def judgement(form: Form, count: int) -> Grammar:
    """Return the form of one of the words."""
    return Grammar(f"({'|'.join(map(re.escape, form.words))})", _longest(form.words))


def fits(text: str, grammar: Grammar) -> bool:
    """Tell whether the answer in a text, behind its reasoning, has a form; spaces do not count."""
    return any(
        re.fullmatch(grammar.regex, " ".join(reading.answer.split()))
        for reading in readings(text, False)
    )


def _longest(names: Sequence[str]) -> int:
    return max(map(len, names))
