"""Passages as a recipe wants them, as far as that is not a number of characters."""

from collections.abc import Callable, Mapping, Sequence

from rearank_cli.engines.base import Model
from rearank_cli.engines.tokens import token_cutter
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.recipes.text import one_line, whole
from rearank_cli.records import Passage
from rearank_cli.reranking.chain import Candidates


def prepared(work: Sequence[Candidates], recipe: Recipe, model: Model) -> list[Candidates]:
    """Return the same work with passages cut in words or tokens, and without titles not wanted.

    What is cut is the whole of what is shown, with the title in front. Each passage is cut once.
    Raises `RearankError` for tokens of a model on a server, which does not tell its tokenizer.
    """
    change = _cutter(recipe, model)
    if change is None and recipe.title:
        return list(work)
    return _each_once(work, lambda passage: _changed(passage, recipe, change))


def _changed(passage: Passage, recipe: Recipe, cut: Callable[[str], str] | None) -> Passage:
    if not recipe.title:
        passage = passage._replace(title="")
    return passage._replace(text=cut(whole(passage)), title="") if cut else passage


def _cutter(recipe: Recipe, model: Model) -> Callable[[str], str] | None:
    unit, size = recipe.cut
    if unit == "words":
        return lambda text: " ".join(text.split()[:size])
    return token_cutter(model, size) if unit == "tokens" else None


def cut_to(work: Sequence[Candidates], limit: int) -> list[Candidates]:
    """Return the same work with no more of each text than is ever shown, to save memory.

    `limit` is where passages are cut, in characters of text on one line.
    """
    return _each_once(work, lambda passage: passage._replace(text=one_line(passage.text)[:limit]))


def _each_once(
    work: Sequence[Candidates], change: Callable[[Passage], Passage]
) -> list[Candidates]:
    """Return the same work with every passage changed, once where queries share passages."""
    shared: dict[int, Mapping[str, Passage]] = {}
    made = []
    for item in work:
        passages = shared.get(id(item.passages))
        if passages is None:
            passages = {doc_id: change(passage) for doc_id, passage in item.passages.items()}
            shared[id(item.passages)] = passages
        made.append(item._replace(passages=passages))
    return made
