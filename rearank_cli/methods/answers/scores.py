"""A number for every passage, as a JSON object or in lines such as `[1]: 7`."""

import json
import re
from collections.abc import Sequence
from math import isfinite

from rearank_cli.methods.answers.form import LETTERS, Form
from rearank_cli.methods.answers.reading import first_told
from rearank_cli.methods.base import Answer, Ask
from rearank_cli.records import Completion, Flaws

_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)
_TAGGED = re.compile(r"<(scores?)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_NAME = r"(?:\[\s*(?:[0-9]{1,9}|[A-Za-z])\s*\]|[0-9]{1,9}|[A-Za-z])"
_NUMBER = r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?"
_PAIR = re.compile(rf"({_NAME})\s*[:=]\s*({_NUMBER})")
_PAIRS = re.compile(rf"\s*{_PAIR.pattern}(?:[\s,;]+{_PAIR.pattern})*[\s,;]*")

Pairs = Sequence[tuple[int, float]]


def read(completion: Completion, ask: Ask, form: Form) -> Answer:
    """Read scores and sort by them; ties stay as shown, passages without a score come last.

    Strict: the answer is one JSON object from identifiers to numbers, or nothing but pairs of an
    identifier and a number; about a single passage also a number alone. Of a repeated identifier
    the first score counts. Anything else is no answer.
    """
    cut = completion.finish_reason == "length"
    unfinished = cut and form.thinks and not completion.reasoning
    count = len(ask.doc_ids)
    reading, found = first_told(
        completion.text, unfinished, lambda reading: _pairs(reading.answer, count, form) or None
    )
    pairs = found or ()
    known: dict[int, float] = {}
    repeated, unknown = [], []
    for number, score in pairs:
        if not 1 <= number <= count:
            unknown.append(number)
        elif number in known:
            repeated.append(number)
        else:
            known[number] = score
    scores = {ask.doc_ids[number - 1]: score for number, score in known.items()}
    ranked = sorted(known, key=lambda number: (-known[number], number))
    missing = [number for number in range(1, count + 1) if number not in known]
    flaws = Flaws(
        tuple(missing) if pairs else (),
        tuple(dict.fromkeys(repeated)),
        tuple(dict.fromkeys(unknown)),
        truncated=cut and not reading.complete,
        no_answer=not pairs,
    )
    ranking = tuple(ask.doc_ids[number - 1] for number in [*ranked, *missing])
    return Answer(ranking, scores, flaws, completion.reasoning or reading.reasoning, reading.answer)


def _pairs(answer: str, count: int, form: Form) -> Pairs:
    for wrapping, group in ((_FENCED, 1), (_TAGGED, 2)):
        inner = wrapping.fullmatch(answer.strip())
        answer = inner[group] if inner else answer
    answer = answer.strip()
    if answer.startswith("{"):
        return _from_json(answer, form)
    if count == 1 and re.fullmatch(_NUMBER, answer):
        return [(1, float(answer))]
    if not _PAIRS.fullmatch(answer):
        return ()
    found = [(_number(name, form), float(score)) for name, score in _PAIR.findall(answer)]
    return _all_named(found)


def _from_json(answer: str, form: Form) -> Pairs:
    try:
        record = json.loads(answer, object_pairs_hook=list, parse_int=_short)
    except (ValueError, RecursionError):
        return ()
    found: list[tuple[int | None, float]] = []
    for name, score in record:
        if isinstance(score, bool) or not isinstance(score, int | float) or not isfinite(score):
            return ()
        found.append((_number(name, form), float(score)))
    return _all_named(found)


def _short(digits: str) -> float:
    return float(digits)


def _all_named(found: Sequence[tuple[int | None, float]]) -> Pairs:
    """Return the pairs; none where something else than an identifier has a number."""
    named = [(number, score) for number, score in found if number is not None]
    return named if len(named) == len(found) else ()


def _number(name: str, form: Form) -> int | None:
    bare = name.strip().removeprefix("[").removesuffix("]").strip()
    if form.letters:
        return LETTERS.index(bare.upper()) + 1 if bare.upper() in LETTERS else None
    return int(bare) if re.fullmatch(r"[0-9]{1,9}", bare) else None
