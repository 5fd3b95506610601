"""Runs held against expectations: what is reached, what falls short, and the tables of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TextIO

from rearank_cli.evaluation.expected import Expectation
from rearank_cli.evaluation.formats import write_lines
from rearank_cli.evaluation.inquiry import Report
from rearank_cli.evaluation.provenance import dump
from rearank_cli.evaluation.style import Format
from rearank_cli.evaluation.tables import Table
from rearank_cli.evaluation.writing import DELIMITERS, DRAWN
from rearank_cli.log import note

TOLERANCE = 0.005
"""How much less than expected still passes: half a point of nDCG."""
Verdict = Literal["reached", "above", "short"]
HEADER = ("run", "collection", "measure", "expected", "found", "difference", "verdict")
_ROUNDING = 1e-9  # so that 0.35 - 0.01 reaches 0.34


@dataclass(frozen=True, slots=True)
class Outcome:
    """One figure of one run beside what was expected of it."""

    run: str
    collection: str
    measure: str
    expected: float
    found: float
    tolerance: float
    verdict: Verdict
    source: str

    @property
    def difference(self) -> float:
        """Found minus expected."""
        return self.found - self.expected


def hold(
    report: Report, expected: Sequence[Expectation], collection: str, tolerance: float | None
) -> list[Outcome]:
    """Return an outcome for every run of a report and every expectation.

    `tolerance` takes the place of the expectations' own.
    """
    return [
        _outcome(item.label, item.figures[each.measure], each, collection, tolerance)
        for item in report.evaluations
        for each in expected
    ]


def _outcome(
    run: str, found: float, each: Expectation, collection: str, tolerance: float | None
) -> Outcome:
    own = TOLERANCE if each.tolerance is None else each.tolerance
    room = own if tolerance is None else tolerance
    verdict: Verdict = "reached"
    if not found >= each.value - room - _ROUNDING:  # a figure that is not a number falls short
        verdict = "short"
    elif found > each.value + room + _ROUNDING:
        verdict = "above"
    where = each.collection or collection
    return Outcome(run, where, each.measure, each.value, found, room, verdict, each.source)


def rows(outcomes: Sequence[Outcome], digits: int) -> tuple[tuple[str, ...], ...]:
    """Return the lines of the table below `HEADER`."""
    return tuple(
        (
            each.run,
            each.collection,
            each.measure,
            f"{each.expected:.{digits}f}",
            f"{each.found:.{digits}f}",
            f"{each.difference:+.{digits}f}",
            each.verdict,
        )
        for each in outcomes
    )


def table(outcomes: Sequence[Outcome], digits: int) -> Table:
    """Return the table as terminals, Markdown and LaTeX get it."""
    left = frozenset(map(HEADER.index, ("run", "collection", "measure", "verdict")))
    return Table("", HEADER, rows(outcomes, digits), left=left)


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the sentences that belong under the table."""
    sources = dict.fromkeys(each.source for each in outcomes if each.source)
    rooms = dict.fromkeys(f"{each.tolerance:g}" for each in outcomes)
    short = sum(each.verdict == "short" for each in outcomes)
    return [
        *(f"expected: {source}" for source in sources),
        f"{short} of {len(outcomes)} fall short by more than {' or '.join(rooms)}",
    ]


def write_outcomes(
    handle: TextIO, outcomes: Sequence[Outcome], name: str, style: Format, digits: int
) -> None:
    """Write the outcomes in a format; notes that have no place in it go to stderr."""
    if style is Format.JSON:
        handle.write(dump(as_json(outcomes, name)))
    elif style in DRAWN:
        DRAWN[style](handle, [table(outcomes, digits)], notes(outcomes))
    else:
        write_lines(handle, HEADER, rows(outcomes, digits), DELIMITERS[style])
        for text in notes(outcomes):
            note(text)


def as_json(outcomes: Sequence[Outcome], name: str) -> Mapping[str, Any]:
    """Return the outcomes as JSON; `name` says whose expectations these were."""
    return {
        "expect": name,
        "passed": all(each.verdict != "short" for each in outcomes),
        "outcomes": [{**asdict(each), "difference": each.difference} for each in outcomes],
    }
