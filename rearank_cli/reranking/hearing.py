"""Hearing an answer while it is written: what can follow, and when there is enough of it."""

from collections.abc import Callable
from dataclasses import dataclass

from rearank_cli.methods import Answer, Ask
from rearank_cli.methods.answers import Beginning, Form
from rearank_cli.methods.answers.order import begun
from rearank_cli.records import Completion


@dataclass(slots=True)
class Ear:
    """Hears the answer to an ask; called with what is written so far.

    `foresees` is called with what is known of the answer as soon as its ask's `needs` first ranks
    are; None where nothing follows from that. Where the ask's `wanted` ranks are known, it is
    enough.
    """

    ask: Ask
    form: Form
    make: type[Beginning]
    foresees: Callable[[Answer], None] | None
    _needed: Beginning | None = None
    _wanted: Beginning | None = None

    def __call__(self, so_far: Completion) -> bool:
        """Read on; return whether that is enough."""
        if not so_far.text:
            return False
        needs, wanted = self.ask.needs, self.ask.wanted
        if wanted is not None and wanted < len(self.ask.doc_ids):
            self._wanted = self._wanted or self._beginning(wanted, so_far)
            if self._wanted.read(so_far.text):
                return True
        if self.foresees is not None and needs is not None:
            self._needed = self._needed or self._beginning(needs, so_far)
            first = self._needed.read(so_far.text)
            if first:
                foresees, self.foresees = self.foresees, None
                foresees(Answer(begun(self.ask.doc_ids, first)))
        return False

    def _beginning(self, ranks: int, so_far: Completion) -> Beginning:
        thinks = self.form.thinks and not so_far.reasoning
        return self.make(len(self.ask.doc_ids), ranks, thinks)


def ear_for(
    ask: Ask, form: Form, make: type[Beginning] | None, foresees: Callable[[Answer], None] | None
) -> Ear | None:
    """Return an ear for the answer to an ask; None where nothing would follow from hearing it."""
    if make is None:
        return None
    count = len(ask.doc_ids)
    wanted = count if ask.wanted is None else ask.wanted
    # What ends as soon as it is known needs no guess.
    early = foresees is not None and ask.needs is not None and ask.needs < wanted
    if not early and wanted >= count:
        return None
    return Ear(ask, form, make, foresees if early else None)
