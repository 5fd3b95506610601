"""From a completion to an answer: one pure reader per kind.

A reader takes the completion, the ask and the form that the recipe wants. It never loses or
invents a passage, whatever the model wrote, and says in the answer's flaws what was wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rearank_cli.methods.answers import (
    choice,
    grammar,
    judgement,
    letters,
    likelihood,
    order,
    relevance,
    scores,
)
from rearank_cli.methods.answers.beginning import Beginning
from rearank_cli.methods.answers.form import LETTERS, Form
from rearank_cli.methods.base import Answer, Ask, Kind
from rearank_cli.records import Completion, Grammar

__all__ = ["KINDS", "AnswerKind", "Beginning", "Form", "Reader"]

Reader = Callable[[Completion, Ask, Form], Answer]


@dataclass(frozen=True, slots=True)
class AnswerKind:
    """How a kind of answer is asked for and read.

    `single` kinds are about one passage at a time. `first_token` kinds are always read from the
    log-probabilities of the first token, others only where the recipe says so. `form` is what an
    answer in words must look like, for so many passages. The first ranks of kinds with a
    `beginning` can be read before the whole is there. `unworded` ones come from models that are
    shown query and passage without any words around them.
    """

    read: Reader
    form: Callable[[Form, int], Grammar] | None = None
    beginning: type[Beginning] | None = None
    single: bool = False
    first_token: bool = False
    continues: bool = False
    unworded: bool = False

    def needs(self, form: Form) -> Literal["choices", "continuation", "relevance", ""]:
        """Return what the engine must be able to tell beside a text, if anything."""
        if self.unworded:
            return "relevance"
        if self.continues:
            return "continuation"
        return "choices" if self.first_token or form.logprobs else ""

    def choices(self, form: Form, count: int) -> tuple[str, ...]:
        """Return the strings whose log-probabilities are wanted for so many passages."""
        if self.needs(form) != "choices":
            return ()
        return form.words or form.identifiers(count)

    def grammar(self, form: Form, count: int) -> Grammar | None:
        """Return what an answer about so many passages may be; None where no text is read."""
        return None if self.form is None or form.logprobs else self.form(form, count)

    def most(self, form: Form) -> int:
        """Return the most passages that one ask can be about; 0 where nothing limits them."""
        if self.single:
            return 1
        return len(LETTERS) if form.letters else 0


KINDS: dict[Kind, AnswerKind] = {
    "order": AnswerKind(order.read, grammar.order, Beginning),
    "choice": AnswerKind(choice.read, grammar.choice),
    "scores": AnswerKind(scores.read, grammar.scores),
    "letters": AnswerKind(letters.read, first_token=True),
    "judgement": AnswerKind(judgement.read, grammar.judgement, single=True),
    "likelihood": AnswerKind(likelihood.read, single=True, continues=True),
    "relevance": AnswerKind(relevance.read, single=True, unworded=True),
}
