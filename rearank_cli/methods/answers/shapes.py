"""Which identifiers an answer names in which order, in the shapes that models write.

An order is
- a chain: identifiers joined by `>` or an arrow, ties by `=`;
- a list: a line of identifiers and nothing else, perhaps behind a label and a colon, or several
  such lines; JSON lists are lists too, also as the one list of a JSON object;
- a numbered list, or a table with a column of ranks, each line beginning with an identifier;
- lines that begin with an identifier and go on with words, unless they go through the passages as
  shown;
- within a sentence, a list of all identifiers, each once and not as shown.
An identifier is a number in square brackets, or after a word such as "Passage"; bare numbers
count where a chain or list consists of them. Numbers that are values for identifiers
(`"[1]": 2`), or scores that rise from line to line, make no order.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from rearank_cli.methods.answers.lexing import Line, Token, json_order, lines_of, plain

_SCORES = re.compile(r"scor|rating|grade|point", re.IGNORECASE)
_REVERSED = re.compile(r"\]\s*<\s*\[")
_KEYED = re.compile(r"[\]\d]\s*[:=]\s*\d")
_DECIMAL = re.compile(r"\d\.\d")
_NUMBER = re.compile(r"\d+")
_JUDGEMENTS = ("relevant", "irrelevant", "not", "yes", "no", "true", "false", "high", "low")
_ENDS = (".", "!", "-")
_JOINING = (",", "and", "(", ")", "|")


class _Group(NamedTuple):
    """Identifiers that belong together; `ranked` when their order is beyond doubt.

    `line` is where they begin.
    """

    ids: tuple[int, ...]
    line: int = 0
    ranked: bool = False
    chain: bool = False


def identifiers(answer: str, count: int, *, tagged: bool) -> list[int]:
    """Return the identifiers of an answer of `count` passages, best first; none if no order.

    Repeated and unknown identifiers stay. `tagged` says that the text was marked as the answer:
    then identifiers in running words count too.
    """
    from_json = json_order(answer)
    if from_json is not None:
        return from_json
    text = plain(answer)
    lines = list(lines_of(text))
    explicit = [*_chains(lines), *_numbered(lines), *_listed(lines, count)]
    explicit.sort(key=lambda group: group.line)  # within a line they stay as they stand there
    found = _joined(explicit, count) or _joined(list(_told(lines)), count)
    found = found or _joined(list(_said(lines, count)), count)
    return found or (_mentioned(text) if tagged else [])


def _joined(groups: Sequence[_Group], count: int) -> list[int]:
    """Return groups one after the other where they share nothing, else the one that says most."""
    named = [number for group in groups for number in set(group.ids)]
    if len(named) == len(set(named)):
        return [number for group in groups for number in group.ids]

    def known(group: _Group) -> int:
        return len({number for number in group.ids if 1 <= number <= count})

    most = max(map(known, groups))
    able = [group for group in groups if 2 * known(group) >= most]
    # max returns the first of equals; what comes last is the final word.
    return list(max(reversed(able), key=lambda each: (each.ranked, known(each), each.chain)).ids)


def _chains(lines: Sequence[Line]) -> Iterator[_Group]:
    items: list[Token] = []
    signs: list[str] = []
    waiting = ""
    began = 0
    words = [(at, word) for at, line in enumerate(lines) for word in (*line.tokens, Token("\n"))]
    for at, token in [*words, (0, Token("end"))]:
        if token.ids and items and waiting:
            items.append(token)
            signs.append(waiting)
            waiting = ""
        elif token.kind in (">", "="):
            waiting = token.kind
        elif token.kind not in ("\n", "(", ")", "..."):
            if _is_chain(items, signs):
                ids = tuple(number for item in items for number in item.ids)
                yield _Group(ids, began, ranked=True, chain=True)
            items, signs, waiting, began = ([token] if token.ids else []), [], "", at


def _is_chain(items: Sequence[Token], signs: Sequence[str]) -> bool:
    """Tell chains from sums: `10 = 10`, `[1] = 5` and `[1] > 5` are none."""
    bare = [item.kind == "bare" for item in items]
    return len(items) > 1 and (not any(bare) or (">" in signs and (all(bare) or len(items) > 2)))


def _numbered(lines: Sequence[Line]) -> Iterator[_Group]:
    """Yield numbered lists; a number that does not grow begins a new one."""
    lists: list[list[tuple[int, Line, tuple[int, ...]]]] = []
    last = 0
    for at, line in enumerate(lines):
        ids = _leading(line.ranked) if line.ranked else ()
        if not ids:
            continue
        if line.number <= last or not lists:
            lists.append([])
        lists[-1].append((at, line, ids))
        last = line.number
    for each in lists:
        bare = all(line.ranked[0].kind == "bare" for _, line, _ in each)
        if not _rising([line for _, line, _ in each]) and (not bare or len(each) > 1):
            ids = tuple(number for _, _, numbers in each for number in numbers)
            yield _Group(ids, each[0][0], ranked=True)


def _listed(lines: Sequence[Line], count: int) -> Iterator[_Group]:
    """Yield lines, and runs of lines, of nothing but identifiers."""
    runs: list[tuple[int, list[Token], list[Line]]] = []
    going = False
    for at, line in enumerate(lines):
        items, labelled = _items(line)
        if items and going and not labelled and runs[-1][1][0].kind == items[0].kind:
            runs[-1][1].extend(items)
            runs[-1][2].append(line)
        elif items:
            runs.append((at, items, [line]))
        going = bool(items) or (going and not any(t.kind == "word" or t.ids for t in line.tokens))
    for at, items, run in runs:
        ids = tuple(number for item in items for number in item.ids)
        known = sum(1 <= number <= count for number in set(ids))
        sure = items[0].kind != "bare" or (known > 1 and 2 * known >= len(ids))
        if sure and not _rising(run):
            yield _Group(ids, at)


def _items(line: Line) -> tuple[list[Token], bool]:
    """Return the identifiers of a line that has nothing else, and whether it has a label."""
    tokens = [token for token in line.tokens if token.kind != "..." and token.text not in _ENDS]
    colons = [at for at, token in enumerate(tokens) if token.kind == ":"]
    labelled = bool(colons)
    if labelled:
        label, tokens = tokens[: colons[0]], tokens[colons[0] + 1 :]
        words = " ".join(token.text for token in label if token.kind in ("word", "and"))
        if not words or _SCORES.search(words) or any(token.kind == "id" for token in label):
            return [], True
    items = [token for token in tokens if token.ids]
    if any(token.kind not in _JOINING for token in tokens if not token.ids):
        return [], labelled
    if len({item.kind for item in items}) > 1:
        return [], labelled
    lonely = labelled and len(items) == 1 and items[0].kind == "bare"
    return ([] if lonely else items), labelled


def _told(lines: Sequence[Line]) -> Iterator[_Group]:
    """Yield what lines begin with, bulleted and other lines apart, where it is an order."""
    for bulleted in (True, False):
        chosen = [
            line
            for line in lines
            if line.bulleted is bulleted and line.tokens and line.tokens[0].kind == "id"
        ]
        ids = tuple(number for line in chosen for number in _leading(line.tokens))
        keyed = any(_valued(line.tokens) for line in chosen)
        if len(set(ids)) > 1 and not (keyed or _rising(chosen) or _walks(ids)):
            yield _Group(ids)


def _said(lines: Sequence[Line], count: int) -> Iterator[_Group]:
    """Yield lists of all passages within sentences."""
    for line in lines:
        run: list[Token] = []
        for token in (*line.tokens, Token("end")):
            if token.ids and (not run or run[0].kind == token.kind):
                run.append(token)
            elif token.ids or token.kind not in _JOINING:
                ids = tuple(number for item in run for number in item.ids)
                whole = sorted(ids) == list(range(1, count + 1))
                if whole and not _walks(ids):
                    yield _Group(ids)
                run = [token] if token.ids else []


def _leading(tokens: Sequence[Token]) -> tuple[int, ...]:
    """Return the identifiers at the beginning of a line; bare ones must be all there is."""
    ids: list[int] = []
    for token in tokens:
        if token.ids:
            ids.extend(token.ids)
        elif token.kind not in (*_JOINING, "=", "mark"):
            return () if tokens[0].kind == "bare" else tuple(ids)
        elif token.kind == "mark" and tokens[0].kind != "bare":
            break
    return tuple(ids)


def _valued(tokens: Sequence[Token]) -> bool:
    """Tell whether an identifier is given a number or a judgement: `[1]: 7`, `[1]: relevant`."""
    if len(tokens) < 3 or tokens[1].kind not in (":", "="):
        return False
    value = tokens[2]
    return value.kind in ("bare", "number") or value.text.lower() in _JUDGEMENTS


def _rising(lines: Sequence[Line]) -> bool:
    scores = [line.score for line in lines if line.score is not None]
    return any(later > earlier for earlier, later in pairwise(scores))


def _walks(ids: Sequence[int]) -> bool:
    """Tell whether these are the passages as shown, one after the other."""
    first = list(dict.fromkeys(ids))
    return first[:1] == [1] and first == sorted(first)


def _mentioned(text: str) -> list[int]:
    """Return the identifiers in running words, or bare numbers where there are none."""
    if _REVERSED.search(text) or _KEYED.search(text):
        return []
    tokens = [token for line in lines_of(text) for token in line.tokens]
    named = [number for token in tokens if token.kind == "id" for number in token.ids]
    if named:
        return [] if len(named) > 1 and _walks(named) else named
    return [] if _DECIMAL.search(text) else [int(each[:9]) for each in _NUMBER.findall(text)]
