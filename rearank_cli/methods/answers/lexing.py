"""The words of an answer: what is an identifier, a sign between two, or something else."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# An identifier longer than this names no passage; longer ones could not even become an int.
_MAX_DIGITS = 9
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("【〔［〖", "["),
        **dict.fromkeys("】〕］〗", "]"),
        **dict.fromkeys("（", "("),
        **dict.fromkeys("）", ")"),
        **dict.fromkeys("＞≻›→➔➜⇒≥≽⪰", ">"),
        **dict.fromkeys("＜≺", "<"),
        **dict.fromkeys("＝≈≃∼", "="),
        **dict.fromkeys("，、；､;", ","),
        **dict.fromkeys("：", ":"),
        **dict.fromkeys("–—−", "-"),
        **dict.fromkeys("\"'“”‘’`$", None),
        **{chr(ord("０") + digit): str(digit) for digit in range(10)},
    }
)
_REWRITTEN = (
    (re.compile(r"^[ \t]*```\w*[ \t]*$", re.MULTILINE), ""),
    (re.compile(r"\\(?:succ(?:eq)?|gt|geq?|(?:long)?(?:right|Right)arrow|to)\b"), " > "),
    (re.compile(r"\\(?:sim|approx|eq)\b"), " = "),
    (re.compile(r"\\([\[\]_*#>-])"), r"\1"),
    (re.compile(r"\\[a-zA-Z]+\{"), "{"),
    (re.compile(r"^([ \t]*)[*•‣·+-][ \t]+", re.MULTILINE), r"\1- "),
    (re.compile(r"\*+|__"), ""),
    (re.compile(r"</?[a-zA-Z][\w-]{0,30}>"), "\n"),
    (re.compile(r"^[ \t]*#+[ \t]+(?=\D)", re.MULTILINE), ""),
    (re.compile(r"-+>|=+>|>{2,}|>="), ">"),
    (re.compile(r"={2,}"), "="),
)
_NAME = r"(?:(?:passage|document|doc|text|candidate|identifier|id|no\.)\s?\#?|\#)"
_ONE = rf"(?:{_NAME})?\s?[0-9]+"
_TOKEN = re.compile(
    rf"""
    (?P<id>(?:(?<!\w){_NAME}\s?)?\[\s*{_ONE}(?:\s*,\s*{_ONE})*\s*\]
        |(?<!\w){_NAME}\s?[0-9]+(?![\w.]*\w))
    | (?P<number>[0-9]*\.[0-9]+|[0-9]+(?:\.[0-9]+)+|[0-9]+[^\W0-9]\w*|[0-9]+(?:/[0-9]+|%))
    | (?P<bare>[0-9]+)
    | (?P<dots>\.{{2,}}|…)
    | (?P<and>\b(?:and|then|next|finally|lastly|followed\sby)\b)
    | (?P<word>[^\W0-9]\w*)
    | (?P<sign>[>=,:|])
    | (?P<open>[(\[{{])
    | (?P<close>[)\]}}])
    | (?P<mark>[^\s])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIGITS = re.compile(r"[0-9]+")
# "[3] (score 9) > [1]": what is said of an identifier in round brackets is not part of a chain.
_REMARK = re.compile(r"(?<=[\]0-9])[ \t]*\([^()\[\]\n]{1,200}\)")
_RANK = re.compile(
    r"[ \t]*\|?[ \t]*(?:rank|place|position|\#)?[ \t]?\#?([0-9]{1,4})(?:st|nd|rd|th)?[ \t]?"
    r"([.):|-])(?=[ \t\[])",
    re.IGNORECASE,
)
_BULLET = re.compile(r"[ \t]*- ")
_EDGE = re.compile(r"[ \t|]+")
_SCORE = re.compile(
    r"[\]0-9][ \t]*[-:=(|]?[ \t]*(?:relevance|final)?[ \t]*(?:score|rating|grade|relevance)?"
    r"[ \t]*[:=]?[ \t]*([0-9]{1,9}(?:\.[0-9]{1,9})?)[ \t]*(?:/[ \t]*[0-9]+|%|points?)?[ \t]*"
    r"(?=[),|.\n]|$)",
    re.IGNORECASE,
)


class Token(NamedTuple):
    """A word: `id` and `bare` have identifiers, other kinds none."""

    kind: str
    text: str = ""
    ids: tuple[int, ...] = ()


class Line(NamedTuple):
    """A line's words, without its bullet.

    Where it begins with a rank, `number` is that and `ranked` the words after it. `score` is the
    number given to its first identifier, if any.
    """

    tokens: tuple[Token, ...]
    bulleted: bool
    number: int
    ranked: tuple[Token, ...]
    score: float | None


def plain(answer: str) -> str:
    """Return an answer without Markdown, LaTeX, HTML and quotes, and with ASCII signs."""
    text = html.unescape(answer)
    fence, *others = _REWRITTEN
    text = fence[0].sub(fence[1], text).translate(_SIGNS)
    for pattern, instead in others:
        text = pattern.sub(instead, text)
    return text


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines of a plain text."""
    for full in text.splitlines():
        line = _REMARK.sub("", full)
        bullet = _BULLET.match(line)
        at = bullet.end() if bullet else 0
        rank = _RANK.match(line, at)
        ranked = _ranked(line[rank.end() :], rank[2]) if rank else ()
        edge = _EDGE.match(line, at)
        score = _SCORE.search(full, _after_first(full, rank.end() if ranked and rank else 0))
        yield Line(
            tuple(_tokens(line[edge.end() if edge else at :])),
            bool(bullet),
            int(rank[1]) if rank else 0,
            ranked,
            float(score[1]) if score else None,
        )


def _after_first(line: str, start: int) -> int:
    """Return where a line's first identifier ends, at its last character."""
    for match in _TOKEN.finditer(line, start):
        if match.lastgroup in ("id", "bare"):
            return match.end() - 1
    return len(line)


def _ranked(rest: str, sign: str) -> tuple[Token, ...]:
    """Return the words after a rank, if they begin with an identifier."""
    tokens = tuple(token for token in _tokens(rest) if token.kind not in ("|", "(", ")"))
    if not tokens or not tokens[0].ids:
        return ()
    # "1: 7" and "| 1 | 7 |" may give a passage a score; "1. 3" gives a rank a passage.
    return tokens if tokens[0].kind == "id" or sign in ".)" else ()


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind in ("id", "bare"):
            ids = tuple(int(each[:_MAX_DIGITS]) for each in _DIGITS.findall(match[0]))
            yield Token(kind, match[0], ids)
        elif kind == "sign":
            yield Token(match[0])
        else:
            yield Token({"open": "(", "close": ")", "dots": "..."}.get(kind, kind), match[0])


_FENCED = re.compile(r"\s*```\w*\s*(.*?)\s*```\s*", re.DOTALL)
_JSON_ID = re.compile(rf"\s*(?:\[\s*{_ONE}\s*\]|{_ONE})\s*", re.IGNORECASE)


def json_order(answer: str) -> list[int] | None:
    """Return the order in an answer that is JSON; none if that is no order, None if it is no JSON.

    A list of identifiers, also nested (ties), is an order; an object is one where exactly one of
    its values is.
    """
    fenced = _FENCED.fullmatch(answer)
    text = fenced[1] if fenced else answer.strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(data, dict):
        lists = [
            found for each in data.values() if isinstance(each, list) and (found := _ids(each))
        ]
        return lists[0] if len(lists) == 1 else []
    return _ids(data)


def _ids(data: list[Any]) -> list[int]:
    """Return the identifiers of a list, in order; none where something else is in it."""
    found: list[int] = []
    waiting = list(reversed(data))
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(reversed(each))
        elif isinstance(each, str) and _JSON_ID.fullmatch(each):
            found.append(int(_DIGITS.findall(each)[-1][:_MAX_DIGITS]))
        elif type(each) is int and each >= 0:
            found.append(each)
        else:
            return []
    return found
