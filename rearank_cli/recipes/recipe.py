"""Recipes: data files that say how a model is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self

from jinja2 import Template, TemplateError

from rearank_cli.errors import RearankError
from rearank_cli.recipes.templates import Turn, messages, variables
from rearank_cli.records import Kind, Prompt, Request, Sampling

UNCUT = 10**9  # characters: more than any passage has
UNITS = ("chars", "words", "tokens")
# How the models that think by themselves end it; Qwen's templates write it in just this way.
CLOSING = "\n</think>\n\n"
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed")


class Cut(NamedTuple):
    """Where passages are cut: after `size` characters, words or tokens of the model."""

    unit: Literal["chars", "words", "tokens"] = "chars"
    size: int = 400


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is asked, and what goes with that.

    `turns` are the templates of a chat, or `text` is that of a plain text (neither for the kind
    `relevance`); `continuation` is what the model's likelihood is wanted of, behind it.
    `exemplars` are asked and answered before, the same in front of every passage. `method` and its
    `numbers` say which passages are shown together; `kind` is what is answered: passages are called
    by `letters` or numbers, `logprobs` reads the first token instead of the text, and `choices` are
    the words of a judgement.

    `cut` is where passages end, and `title` says whether their titles are shown. `max_tokens` is
    the longest answer, `max_thinking_tokens` the longest reasoning in it (0: no limit); `draws` are
    the other numbers of `Sampling`. `thinks` says whether reasoning comes before the answer;
    `chat_template` are switches of the model's own chat template. `prefill` is how the model's turn
    begins; `closing` ends reasoning that goes on for too long, and `force_format` keeps answers to
    their form. `strip` takes white space from both ends of a message. `made_for` are the models
    that it was made for, by exact id, which are given the package's `adapter` where it names one;
    `source` says where the wording is from, and `expected` is a published figure. `digest` is the
    file's SHA-256.

    >>> from rearank_cli.recipes.loading import load_recipe
    >>> recipe = load_recipe("rearank").changed(max_tokens=512)
    >>> recipe.name, recipe.method, recipe.kind, recipe.sampling.max_tokens
    ('rearank', 'sliding', 'order', 512)
    """

    name: str
    digest: str
    turns: tuple[Turn, ...] = ()
    text: Template | None = None
    continuation: Template | None = None
    exemplars: tuple[Mapping[str, str], ...] = ()
    method: str = "sliding"
    numbers: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = "order"
    letters: bool = False
    logprobs: bool = False
    choices: tuple[str, ...] = ()
    cut: Cut = Cut()  # noqa: RUF009  a tuple
    title: bool = True
    max_tokens: int = 2048
    max_thinking_tokens: int = 0
    draws: Mapping[str, Any] = field(default_factory=dict)
    thinks: bool = True
    chat_template: Mapping[str, Any] = field(default_factory=dict)
    prefill: str = ""
    closing: str = CLOSING
    force_format: bool = False
    strip: bool = True
    made_for: Sequence[str] = ()
    adapter: str = ""
    description: str = ""
    source: str = ""
    expected: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn, unless the user says otherwise."""
        return Sampling(self.max_tokens, **self.draws, max_thinking_tokens=self.max_thinking_tokens)

    @property
    def end_of_thought(self) -> str:
        """What ends reasoning that goes on for too long; empty where nothing is thought."""
        return self.closing if self.thinks else ""

    @property
    def passage_chars(self) -> int:
        """Where passages are cut, in characters; beyond any passage for a cut in another unit."""
        return self.cut.size if self.cut.unit == "chars" else UNCUT

    def changed(self, **said: Any) -> Self:
        """Return the recipe with some of its numbers said otherwise; those that are None stay.

        They are `max_tokens`, `max_thinking_tokens`, `passage_chars`, `passage_words`,
        `passage_tokens`, those of `SAMPLING`, and whether to `force_format`. Raises `RearankError`
        for two cuts at once, a number that there is not, and numbers that cannot work.
        """
        given = {name: value for name, value in said.items() if value is not None}
        changes: dict[str, Any] = {}
        cut = cut_of({name: given.pop(name) for name in CUTS if name in given}, self.name)
        if cut:
            changes["cut"] = cut
        draws = {name: given.pop(name) for name in SAMPLING if name in given}
        changes["draws"] = {**self.draws, **draws}
        for name in ("max_tokens", "max_thinking_tokens", "force_format"):
            if name in given:
                changes[name] = given.pop(name)
        if given:
            raise RearankError(f"a recipe has no number {next(iter(given))!r} to change")
        made = replace(self, **changes)
        _ = made.sampling  # raises
        return made

    def request(
        self, query: str, passages: Sequence[str], sampling: Sampling | None = None
    ) -> Request:
        """Return what the engine is asked about some passages; texts must be clean."""
        if self.kind == "relevance":
            return Request(query, sampling or self.sampling, passage=passages[0])
        values = variables(query, passages, self.letters)
        try:
            behind = self.continuation.render(values) if self.continuation else ""
            prompt = self._plain(values) if self.text else self.render(query, passages)
        except TemplateError as error:
            raise RearankError(f"recipe {self.name}: {error}") from error
        return Request(
            prompt,
            sampling or self.sampling,
            self.chat_template,
            continuation=behind,
            prefill=self.prefill,
        )

    def render(self, query: str, passages: Sequence[str]) -> Prompt:
        """Return the messages for one ask; texts must be clean (see `text.Cleaner`).

        Neighbouring turns marked `per_passage` are repeated together, once for each passage.
        Raises `RearankError` when a template asks for a variable that there is not, and for a
        recipe that is a plain text.
        """
        if not self.turns:
            raise RearankError(
                f"recipe {self.name}: a plain text, where the messages of a chat are needed"
            )
        try:
            values = variables(query, passages, self.letters)
            return tuple(messages(self.turns, values, self.strip))
        except TemplateError as error:
            raise RearankError(f"recipe {self.name}: {error}") from error

    def _plain(self, values: Mapping[str, Any]) -> str:
        """Return the plain text, behind the exemplars."""
        assert self.text is not None, "a plain text"
        parts = []
        for each in self.exemplars:
            own = variables(each["query"], [each["passage"]], self.letters)
            behind = self.continuation.render(own) if self.continuation else ""
            parts.append(self.text.render(own) + behind + each.get("answer", ""))
        return "\n\n".join([*parts, self.text.render(values)])


CUTS = tuple(f"passage_{unit}" for unit in UNITS)


def cut_of(given: Mapping[str, Any], name: str) -> Cut | None:
    """Return the one cut that is said by `passage_chars`, `passage_words` or `passage_tokens`."""
    if not given:
        return None
    if len(given) > 1:
        raise RearankError(f"{name}: expected one cut, found {' and '.join(sorted(given))}")
    ((key, size),) = given.items()
    if size < 1:
        raise RearankError(f"expected `{key}` to be at least 1, found {size}")
    unit: Any = key.removeprefix("passage_")
    return Cut(unit, size)
