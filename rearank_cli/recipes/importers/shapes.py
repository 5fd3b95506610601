"""From messages with marks in them to the templates that they were made of."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rearank_cli.errors import RearankError
from rearank_cli.recipes.importers.writing import literal

# Characters for private use, which no prompt has.
QUERY = "\ue000query\ue001"
_MARK = re.compile("\ue000(query|num|passage|number)([0-9]*)\ue001")
_MADE = 3  # passages in the messages that templates are read from

Refuse = Callable[[str], RearankError]


class Said(NamedTuple):
    """A message."""

    role: str
    content: str


def passage_mark(number: int) -> str:
    """Return the mark of a passage, from 1."""
    return f"\ue000passage{number}\ue001"


def number_mark(value: int | None) -> str:
    """Return the mark of a number in a text; None is how many passages there are."""
    return "\ue000num\ue001" if value is None else f"\ue000number{value}\ue001"


def template_of(refuse: Refuse, marked: Callable[[int], list[Said]]) -> list[tuple[str, str, bool]]:
    """Return role, template and whether it is repeated, from the messages for 3 and 4 passages."""
    three, four = marked(_MADE), marked(_MADE + 1)
    each = len(four) - len(three)
    if each == 0:
        return [(role, _single(refuse, content), False) for role, content in three]
    start = _start(three, each)
    if start is None:
        raise refuse("its messages do not repeat from passage to passage")
    stop = start + _MADE * each
    parts = [(three[:start], False), (three[start : start + each], True), (three[stop:], False)]
    return [
        (role, _template(refuse, content, {1: "{{ identifier }}"} if repeated else {}), repeated)
        for messages, repeated in parts
        for role, content in messages
    ]


def _start(messages: Sequence[Said], each: int) -> int | None:
    """Return where messages begin to repeat, `each` at a time, once for each passage."""
    for start in range(len(messages) - _MADE * each + 1):
        blocks = [
            [_general(said, number + 1) for said in messages[start + number * each :][:each]]
            for number in range(_MADE)
        ]
        named = any(passage_mark(1) in said.content for said in messages[start : start + each])
        if named and all(block == blocks[0] for block in blocks):
            return start
    return None


def _general(said: Said, number: int) -> Said:
    """Return a message with the marks of one passage made those of any."""
    text = said.content.replace(passage_mark(number), passage_mark(0))
    return Said(said.role, text.replace(number_mark(number), number_mark(0)))


def _single(refuse: Refuse, content: str) -> str:
    """Return the template of a message that may hold all passages, one after the other."""
    if passage_mark(1) not in content:
        return _template(refuse, content, {})
    before, rest = content.split(passage_mark(1), 1)
    between, rest = rest.split(passage_mark(2), 1) if passage_mark(2) in rest else ("", "")
    second, after = rest.split(passage_mark(3), 1) if passage_mark(3) in rest else ("", "")
    general = [
        Said("", text.replace(number_mark(low), "\ue002").replace(number_mark(low + 1), "\ue003"))
        for text, low in ((between, 1), (second, 2))
    ]
    if not between or general[0] != general[1]:
        raise refuse("its passages do not follow each other in one way")
    numbers = {1: "{{ identifiers[loop.index - 1] }}", 2: "{{ identifiers[loop.index] }}"}
    return (
        _template(refuse, before, {1: "{{ identifiers[0] }}"})
        + "{{ passages[0] }}{% for passage in passages[1:] %}"
        + _template(refuse, between, numbers)
        + "{{ passage }}{% endfor %}"
        + _template(refuse, after, {3: "{{ num }}"})
    )


def _template(refuse: Refuse, content: str, numbers: dict[int, str]) -> str:
    """Return a text with its marks as variables; `numbers` are those that may stand in it."""
    made, place = [], 0
    for match in _MARK.finditer(content):
        made.append(literal(content[place : match.start()]))
        place = match.end()
        kind, number = match[1], int(match[2] or 0)
        if kind in ("query", "num"):
            made.append(f"{{{{ {kind} }}}}")
        elif kind == "passage":
            made.append("{{ passage }}")
        elif number in numbers:
            made.append(numbers[number])
        elif number_is_constant(number):
            made.append(str(number))
        else:
            raise refuse(f"the number {number} in a text, which nothing explains")
    made.append(literal(content[place:]))
    return "".join(made)


def number_is_constant(number: int) -> bool:
    """Tell whether a number is too large to be a passage's among the few that are tried."""
    return number > _MADE + 1
