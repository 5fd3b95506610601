"""What a report is made from, and the questions that its parts ask of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from rearank_cli.records import Ranking, Run
from rearank_cli.report.context import Context
from rearank_cli.report.evaluated import Evaluated
from rearank_cli.report.story import Story, Trace

HITS = 100
"""Hits shown per query; a page with more could not be read anyway."""

LARGEST_GRADE = 3


@dataclass(frozen=True)
class Material:
    """Runs by label, the label of the baseline, and what there is of trace, context, figures."""

    runs: Mapping[str, Run]
    baseline: str | None
    trace: Trace | None
    context: Context
    evaluated: Evaluated | None

    @cached_property
    def traced(self) -> str | None:
        """The run that ends as the trace does, in all of its queries; None where none does.

        Where several do, as when the model changed nothing, it is not the baseline.
        """
        labels = sorted(self.runs, key=lambda label: label == self.baseline)
        return self._agreeing(labels, ends)

    @cached_property
    def reranked(self) -> str | None:
        """The run whose order the trace began with; the baseline where several did."""
        labels = sorted(self.runs, key=lambda label: label != self.baseline)
        return self._agreeing(labels, begins)

    def _agreeing(self, labels: Iterable[str], part: Callable[[Story], Ranking]) -> str | None:
        """Return the first run that has this part of every story."""
        if self.trace is None:
            return None
        stories = self.trace.stories.values()
        return next(
            (
                label
                for label in labels
                if all(agrees(self.runs[label], story, part) for story in stories)
            ),
            None,
        )

    @cached_property
    def focus(self) -> str:
        """The run that the queries are about: the traced one, or else the last one."""
        others = [label for label in self.runs if label != self.baseline]
        return self.traced or (others or list(self.runs))[-1]

    @cached_property
    def highest(self) -> int:
        """The highest relevance that was given."""
        grades = (grade for judged in self.context.judgements.values() for grade in judged.values())
        return max(grades, default=LARGEST_GRADE)

    @cached_property
    def query_ids(self) -> list[str]:
        """The queries of the focus run, in its order, then those of the trace alone."""
        traced = self.trace.stories if self.trace else {}
        return list(dict.fromkeys([*self.runs[self.focus].rankings, *traced]))

    def story(self, query_id: str) -> Story | None:
        """Return a query's story, where a trace tells it."""
        return self.trace.stories.get(query_id) if self.trace else None

    def orders(self, query_id: str) -> tuple[Ranking, Ranking]:
        """Return a query's old and new order; the old one is empty where nothing tells it.

        A trace says what was reranked; without one the old order is the baseline's.
        """
        run = self.runs[self.focus].rankings.get(query_id, ())
        story = self.story(query_id)
        if story is None:
            old = self.runs[self.baseline].rankings.get(query_id, ()) if self.baseline else ()
            return old, run
        known = set(story.new)
        tail = tuple(doc_id for doc_id in run if doc_id not in known)
        return story.old + tail, story.new + tail

    def text(self, query_id: str) -> str:
        """Return a query's text; empty where neither trace nor collection has it."""
        story = self.story(query_id)
        return story.text if story else self.context.queries.get(query_id, "")


def begins(story: Story) -> Ranking:
    """Return the order that a query had before it was reranked."""
    return story.old


def ends(story: Story) -> Ranking:
    """Return the order that a query had after it was reranked."""
    return story.new


def agrees(run: Run, story: Story, part: Callable[[Story], Ranking]) -> bool:
    """Return whether a run has a query's order, as far down as both of them go."""
    ours, theirs = part(story), run.rankings.get(story.query_id, ())
    size = min(len(ours), len(theirs))
    return size > 0 and ours[:size] == theirs[:size]
