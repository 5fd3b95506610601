"""The queries that a collection asks, which may be fewer than its judgements are about."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from rearank_cli.collection.judgements import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.evaluation.conventions import few
from rearank_cli.log import counted


@dataclass(frozen=True, slots=True)
class Asked:
    """The ids of a collection's queries, read only when they matter.

    With `only`, judgements of other queries are left out.
    """

    query_ids: Callable[[], Set[str]]
    only: bool = False


def leave_out(asked: Asked | None, judgements: Judgements) -> tuple[Judgements, list[str]]:
    """Leave out the judgements of queries that the collection does not ask; return their ids too.

    Raises `RearankError` where no judged query would be left.
    """
    if asked is None or not asked.only:
        return judgements, []
    known = asked.query_ids()
    strangers = [query_id for query_id in judgements if query_id not in known]
    if len(strangers) == len(judgements):
        raise RearankError(
            f"of {counted(len(judgements), 'judged query')} none is in the collection's queries",
            hint="are these the judgements of this collection?",
        )
    return judgements.only(known), strangers


def not_asked_notes(asked: Asked, missing: Sequence[str]) -> list[str]:
    """Say which of the judged queries that a run lacks are none of the collection's."""
    if not missing:
        return []
    try:
        known = asked.query_ids()
    except RearankError as error:  # the judgements were there; figures need no more
        return [f"whether the collection asks the missing queries is unknown: {error.message}"]
    strangers = [query_id for query_id in missing if query_id not in known]
    fate = "and count as 0; `asked_queries_only` leaves them out"
    return [f"{strangers_text(strangers)} {fate}"] if strangers else []


def strangers_text(query_ids: Sequence[str]) -> str:
    """Say that judged queries are not in the collection's queries."""
    verb = "is" if len(query_ids) == 1 else "are"
    shown = f"{counted(len(query_ids), 'judged query')} {verb} not in the collection's queries"
    return f"{shown} ({few(query_ids)})"
