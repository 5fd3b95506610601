"""From a drawn list to a training example: the prompt that the reranker shows, and what goes by it.

Two kinds: a prompt with the columns that the reward needs (GRPO), or a prompt with the answer to
imitate (SFT, for models that cannot produce the format yet).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.recipes.shortening import MIN_PASSAGE_CHARS
from rearank_cli.recipes.text import Cleaner
from rearank_cli.records import Passage, Prompt
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.tally import Draw

Example = dict[str, Any]
# Too common in queries to be worth naming.
_STOP = frozenset(
    "a about all am an and any are as at be been but by can could did do does find for from had "
    "has have how i if in information into is it its may me most my no not of on or our should so "
    "some than that the their them there these they this those to us was we were what when where "
    "which who why will with would you your".split()
)
_WORD = re.compile(r"\w+")
_NAMED = 4
_SHRINK = 0.8


@dataclass(frozen=True)
class Limit:
    """The longest prompt, in tokens as `count` counts them; longer ones are cut or dropped."""

    tokens: int
    count: Callable[[Prompt], int]
    cut: bool = False


class Renderer:
    """Makes examples; `texts` hold every passage that can be drawn."""

    def __init__(
        self,
        texts: Mapping[str, Passage],
        recipe: Recipe,
        cleaner: Cleaner,
        passage_chars: int | None = None,
        limit: Limit | None = None,
    ) -> None:
        """Remember how lists are shown; `passage_chars` replaces the recipe's."""
        self._texts = texts
        self._recipe = recipe
        self._cleaner = cleaner
        self._chars = passage_chars or recipe.passage_chars
        self._limit = limit
        self._clean: dict[tuple[str, int], str] = {}

    def for_reward(self, draw: Draw) -> Example | None:
        """Return a GRPO example in TRL's conversational format, or None if it is too long."""
        shown = self._shown(draw)
        if shown is None:
            return None
        prompt, _ = shown
        return {
            "prompt": [message._asdict() for message in prompt],
            "query_id": draw.query.query_id,
            "query": draw.query.text,
            "doc_ids": list(draw.doc_ids),
            "grades": list(draw.grades),
            "ideal": list(draw.ideal),
            "thinks": self._recipe.thinks,
        }

    def for_imitation(self, draw: Draw) -> Example | None:
        """Return an SFT example in TRL's prompt-completion format, or None if it is too long."""
        shown = self._shown(draw)
        if shown is None:
            return None
        prompt, passages = shown
        answer = written(draw.query.text, passages, draw.grades, self._recipe.thinks)
        return {
            "prompt": [message._asdict() for message in prompt],
            "completion": [{"role": "assistant", "content": answer}],
            "query_id": draw.query.query_id,
            "query": draw.query.text,
            "doc_ids": list(draw.doc_ids),
        }

    def _shown(self, draw: Draw) -> tuple[Prompt, list[str]] | None:
        """Return the prompt and its passages, cut until they fit where that is wanted."""
        query = self._cleaner.clean(draw.query.text)
        chars = self._chars
        while chars >= MIN_PASSAGE_CHARS:
            passages = [self._text(doc_id, chars) for doc_id in draw.doc_ids]
            prompt = self._recipe.render(query, passages)
            if self._limit is None or self._limit.count(prompt) <= self._limit.tokens:
                return prompt, passages
            if not self._limit.cut:
                return None
            chars = int(min(chars, max(map(len, passages))) * _SHRINK)
        return None

    def _text(self, doc_id: str, chars: int) -> str:
        key = (doc_id, chars)
        if key not in self._clean:
            self._clean[key] = self._cleaner.passage(self._texts[doc_id], chars)
        return self._clean[key]


def renderer_for(
    work: Sequence[Candidates],
    recipe: Recipe,
    passage_chars: int | None = None,
    model: str | None = None,
    limit: tuple[int | None, bool] = (None, False),
) -> Renderer:
    """Return what turns lists into examples.

    With a `model`, its control tokens are defused and its tokenizer counts; `limit` is the longest
    prompt in its tokens, and whether longer ones are cut rather than dropped. Raises `RearankError`
    for a limit without a model to count with.
    """
    max_tokens, cut = limit
    if max_tokens is not None and model is None:
        raise RearankError(
            "`max_prompt_tokens`: expected `model` too, since models count tokens differently"
        )
    texts: dict[str, Passage] = {}
    for each in work:
        texts.update(each.passages)
    if model is None:
        return Renderer(texts, recipe, Cleaner(), passage_chars)
    from rearank_cli.engines.models import resolve_model
    from rearank_cli.training.tokens import Tokens

    tokens = Tokens(resolve_model(model).location, recipe.chat_template)
    fits = Limit(max_tokens, tokens.count, cut) if max_tokens is not None else None
    return Renderer(texts, recipe, Cleaner(tokens.reserved), passage_chars, fits)


def written(query: str, passages: Sequence[str], grades: Sequence[int], thinks: bool) -> str:
    """Write the answer to imitate: passages by grade, reasoning that names what they share.

    Passages of equal grades stay in the order shown: where the judgements say nothing, the
    retriever's order is the best guess there is.
    """
    found = [shared_words(query, passage) for passage in passages]
    order = sorted(range(len(passages)), key=lambda index: -max(grades[index], 0))
    answer = " > ".join(f"[{index + 1}]" for index in order)
    if not thinks:
        return answer
    top = max((*grades, 1))
    thoughts = "\n".join(
        f"[{number}] {_names(words)}: {_verdict(grade, top)}."
        for number, (words, grade) in enumerate(zip(found, grades, strict=True), 1)
    )
    return f"<think>\n{thoughts}\n</think>\n<answer> {answer} </answer>"


def shared_words(query: str, passage: str) -> list[str]:
    """Return the query's words that a passage has, in the query's order, endings aside.

    Words are equal when their stems are: lower case, at most one of -s, -es, -ed, -ing dropped.
    """
    stems = {_stem(word) for word in _WORD.findall(passage.lower())}
    words = dict.fromkeys(word for word in _WORD.findall(query.lower()) if word not in _STOP)
    return [word for word in words if len(word) > 1 and _stem(word) in stems]


def _stem(word: str) -> str:
    for ending in ("ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].removesuffix("e")
    return word.removesuffix("e") if len(word) > 3 else word


def _names(words: Sequence[str]) -> str:
    return f"has {', '.join(words[:_NAMED])}" if words else "has none of the words"


def _verdict(grade: int, top: int) -> str:
    if grade <= 0:
        return "not relevant"
    return "answers the query" if grade == top else "partly relevant"
