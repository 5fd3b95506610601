"""Reading what `rearank augment` wrote."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import display_name, read_lines
from rearank_cli.formats.jsonl import json_object
from rearank_cli.log import warn
from rearank_cli.training.examples import Example
from rearank_cli.training.reward import loss_reward, rank_reward

_ROLES = {"system", "user", "assistant"}


@dataclass(frozen=True)
class Data:
    """Examples of one kind; `digest` is the SHA-256 of their file's lines."""

    name: str
    digest: str
    examples: tuple[Example, ...]

    @property
    def queries(self) -> set[str]:
        """The texts of the queries; ids may mean different queries in different collections."""
        return {str(example["query"]) for example in self.examples}


def read_lists(path: str, keep_ideal: bool = False) -> Data:
    """Read examples for GRPO; lists whose order cannot get better are left out with a warning.

    With `keep_ideal` only those are left out whose orders are all worth the same.

    Raises `RearankError` with `path:line` for a line that is no such example, and for no example.
    """
    data = _read(path, _list)
    reward = loss_reward if keep_ideal else rank_reward
    useful = tuple(
        example
        for example in data.examples
        if reward(range(len(example["grades"])), example["grades"]) is not None
    )
    if len(useful) < len(data.examples):
        why = "have no order better than another" if keep_ideal else "are in ideal order already"
        warn(f"{data.name}: {len(data.examples) - len(useful)} lists {why} and are left out")
    if not useful:
        raise RearankError(f"{data.name}: no list whose order could get better")
    return Data(data.name, data.digest, useful)


def read_answers(path: str) -> Data:
    """Read examples for the warm-up; raises `RearankError` as `read_lists` does."""
    return _read(path, _answer)


def read_contrasts(path: str) -> Data:
    """Read lists of a likelihood's training; raises `RearankError` as `read_lists` does."""
    return _read(path, _contrast)


def _read(path: str, check: Callable[[Example], str]) -> Data:
    name = display_name(path)
    digest = hashlib.sha256()
    examples = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        digest.update(line.encode() + b"\n")
        example = json_object(name, number, line)
        wrong = check(example)
        if wrong:
            raise RearankError(
                f"{name}:{number}: {wrong}", hint="rearank augment writes such files"
            )
        examples.append(example)
    if not examples:
        raise RearankError(f"{name}: expected training examples, found none")
    return Data(name, digest.hexdigest(), tuple(examples))


def _prompt(example: Example) -> str:
    if not _messages(example.get("prompt")):
        return "expected 'prompt' to be a list of messages with role and content"
    if not isinstance(example.get("query"), str):
        return "expected 'query' to be a text"
    return ""


def _messages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(each, dict)
            and each.get("role") in _ROLES
            and isinstance(each.get("content"), str)
            for each in value
        )
    )


def _contrast(example: Example) -> str:
    """Return what is wrong with a list for contrastive training, or nothing."""
    if not isinstance(example.get("query"), str) or not example["query"].strip():
        return "expected 'query' to be a text"
    shown = example.get("passages")
    texts = isinstance(shown, list) and all(isinstance(each, str) and each for each in shown)
    if not isinstance(shown, list) or not texts or len(shown) < 2:
        return "expected 'passages' to be a list of at least two texts"
    for name, kinds in (("grades", (int,)), ("teacher", (int, float))):
        value = example.get(name)
        if name == "teacher" and value is None:
            continue
        if not isinstance(value, list) or not all(type(each) in kinds for each in value):
            return f"expected {name!r} to be a list of numbers"
        if len(value) != len(shown):
            return f"expected {name!r} to have a number for each of {len(shown)} passages"
    if example.get("teacher") is None and max(example["grades"]) <= 0:
        return "expected a relevant passage, or a teacher's scores"
    return ""


def _list(example: Example) -> str:
    wrong = _prompt(example)
    if wrong:
        return wrong
    for name in ("grades", "ideal"):
        value = example.get(name)
        if not isinstance(value, list) or not all(type(grade) is int for grade in value):
            return f"expected {name!r} to be a list of integers"
    if len(example["grades"]) < 2:
        return "expected at least two grades"
    if not isinstance(example.get("thinks"), bool):
        return "expected 'thinks' to be true or false"
    return ""


def _answer(example: Example) -> str:
    wrong = _prompt(example)
    if wrong:
        return wrong
    if not _messages(example.get("completion")):
        return "expected 'completion' to be a list of messages (as augment writes with `sft`)"
    return ""
