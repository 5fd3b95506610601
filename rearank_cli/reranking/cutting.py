"""Passages as a recipe wants them: no more of each than is ever shown."""

from collections.abc import Callable, Mapping, Sequence

from rearank_cli.engines.base import Model
from rearank_cli.engines.tokens import token_cutter
from rearank_cli.recipes.recipe import UNCUT, Recipe
from rearank_cli.recipes.text import first_characters, whole
from rearank_cli.records import Passage
from rearank_cli.reranking.chain import Candidates

Change = Callable[[Passage], Passage]


def cutter(recipe: Recipe, limit: int, model: Model) -> Change:
    """Return what cuts a passage to that which is shown of it, so that little is kept of each.

    `limit` is where passages are cut, in characters, unless the recipe does so in words or tokens;
    then title and text are cut as one. A title that the recipe does not show goes. Raises
    `RearankError` for tokens of a model on a server, which does not tell its tokenizer.
    """
    cut = _in_units(recipe, model)

    def change(passage: Passage) -> Passage:
        if not recipe.title:
            passage = passage._replace(title="")
        if cut:
            passage = passage._replace(text=cut(whole(passage)), title="")
        return passage if limit >= UNCUT else shortened(passage, limit)

    return change


def _in_units(recipe: Recipe, model: Model) -> Callable[[str], str] | None:
    unit, size = recipe.cut
    if unit == "words":
        return lambda text: " ".join(text.split(None, size)[:size])
    return token_cutter(model, size) if unit == "tokens" else None


def shortened(passage: Passage, limit: int) -> Passage:
    """Return a passage that looks the same wherever it is cut up to `limit` characters.

    One more is kept, which tells that the text went on.
    """
    title, text = (first_characters(part, limit + 1) for part in (passage.title, passage.text))
    return passage._replace(title=title or passage.title, text=text)


def prepared(work: Sequence[Candidates], change: Change) -> list[Candidates]:
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
