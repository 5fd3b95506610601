"""The part of the page that is about one query."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from rearank_cli.records import Ranking
from rearank_cli.report.bump import Bump, bump_chart
from rearank_cli.report.likely import Word, is_singly, likely_words, scores
from rearank_cli.report.material import HITS, Material
from rearank_cli.report.page import Hit, QueryView, Span, WindowView
from rearank_cli.report.reasoning import Piece, pieces, resolved_piece
from rearank_cli.report.shading import UNJUDGED, gain_shade, shade
from rearank_cli.report.story import Story, ranks
from rearank_cli.report.totals import asides, flaw_texts, is_flawed, scores_text
from rearank_cli.reranking.trace import AskTrace, spans

TOP = 10
TOP_CHARS, REST_CHARS = 300, 100


def query_page(material: Material, number: int, query_id: str) -> QueryView:
    """Return everything that is shown of one query; `number` makes its targets unique."""
    return _Builder(material, number, query_id).build()


class _Builder:
    """Holds what the parts of one query share: its orders, shades and targets."""

    def __init__(self, material: Material, number: int, query_id: str) -> None:
        self.material = material
        self.number = number
        self.query_id = query_id
        self.story: Story | None = material.story(query_id)
        old, new = material.orders(query_id)
        self.old, self.new = old[:HITS], new[:HITS]
        # Targets are numbers, never ids: an id may hold anything.
        self.targets = {doc_id: f"p{number}-{index}" for index, doc_id in enumerate(self.new)}
        self.was, self.now = ranks(old), ranks(new)
        singly = self.story is not None and is_singly(self.story)
        self.scores = scores(self.story) if self.story and singly else {}
        self.words = likely_words(self.story) if self.story and singly else {}
        known = dict.fromkeys([*old, *new])
        self.shades = {doc_id: self._shade(doc_id) for doc_id in known}

    def build(self) -> QueryView:
        """Put the parts together."""
        evaluated, label = self.material.evaluated, self.material.focus
        base = self.material.baseline
        windows = self.story.windows if self.story else ()
        # What was asked about single passages stands with these, not in a list of windows.
        listed = () if self.scores else windows
        return QueryView(
            number=self.number,
            query_id=self.query_id,
            text=self.material.text(self.query_id),
            before=evaluated.value(base, self.query_id) if evaluated else None,
            after=evaluated.value(label, self.query_id) if evaluated else None,
            difference=evaluated.difference(label, base, self.query_id) if evaluated else None,
            values=self._values(),
            summary=self._summary(),
            bump=self._bump(),
            scored=bool(self.scores),
            old=tuple(self._hits(self.old[:TOP], self.was, TOP_CHARS)),
            new=tuple(self._hits(self.new[:TOP], self.now, TOP_CHARS)),
            rest=tuple(self._hits(self.new[TOP:], self.now, REST_CHARS)),
            windows=tuple(self._window(number, each) for number, each in enumerate(listed, 1)),
            flawed=sum(map(is_flawed, windows)),
        )

    def _shade(self, doc_id: str) -> str:
        return shade(self.material.context.grade(self.query_id, doc_id), self.material.highest)

    def _values(self) -> tuple[tuple[str, ...], ...]:
        """Return a row per run: its label and its values by measure."""
        evaluated = self.material.evaluated
        if evaluated is None:
            return ()
        return tuple(
            (label, *(_number(by_measure[name].get(self.query_id)) for name in evaluated.measures))
            for label, by_measure in evaluated.per_query.items()
        )

    def _summary(self) -> str:
        """Say in a sentence what happened to the relevant passages."""
        relevant = [
            doc_id
            for doc_id in self.new
            if self.material.context.is_relevant(self.query_id, doc_id)
        ]
        if not relevant or not self.old:
            return ""
        far = len(self.was) + 1
        rose = [doc for doc in relevant if self.now[doc] < self.was.get(doc, far)]
        fell = [doc for doc in relevant if self.now[doc] > self.was.get(doc, far)]
        before = sum(self.was.get(doc, far) <= TOP for doc in relevant)
        after = sum(self.now[doc] <= TOP for doc in relevant)
        return (
            f"Of {len(relevant)} relevant passages {len(rose)} rose and {len(fell)} fell; "
            f"the top {TOP} holds {after} of them, before it was {before}."
        )

    def _bump(self) -> Markup | None:
        if not self.old:
            return None
        orders: Sequence[Ranking] = (self.old, self.new)
        if self.story:
            orders = [order[:HITS] for order in self.story.orders]
        shown = [_shown(stage) for stage in self.story.stages] if self.story else []
        names = ("before", "after")
        bump = Bump(orders, shown, self.shades, self.targets, names)
        title = f"Ranks of the passages of query {self.query_id}, before and after"
        return bump_chart(bump, title, self._summary() or "Each line is a passage.")

    def _hits(self, order: Sequence[str], here: Mapping[str, int], chars: int) -> list[Hit]:
        return [self._hit(doc_id, here[doc_id], chars) for doc_id in order]

    def _hit(self, doc_id: str, rank: int, chars: int) -> Hit:
        context = self.material.context
        grade = context.grade(self.query_id, doc_id)
        old, new = self.was.get(doc_id), self.now.get(doc_id)
        return Hit(
            target=self.targets.get(doc_id, ""),
            rank=rank,
            old_rank=old,
            moved=None if old is None or new is None else old - new,
            doc_id=doc_id,
            shade=self.shades.get(doc_id, UNJUDGED),
            grade="" if grade is None else str(grade),
            title=context.title(doc_id),
            text=context.text(doc_id, chars),
            score=f"{self.scores[doc_id]:.3f}" if doc_id in self.scores else "",
            words=tuple(map(_word_span, self.words.get(doc_id, ()))),
        )

    def _window(self, number: int, window: AskTrace) -> WindowView:
        return WindowView(
            number=number,
            ranks=window.ranks.replace("-", "–"),
            tokens=f"{window.prompt_tokens:,} + {window.completion_tokens:,} tokens",
            time="cached" if window.cached else f"{window.seconds:.1f} s",
            flaws=tuple(flaw_texts(window)),
            cut=", ".join(asides(window)),
            reasoning=tuple(self._spans(window.reasoning, window.before)),
            answer=tuple(self._spans(_said(window), window.before)),
        )

    def _spans(self, said: str, shown: Ranking) -> list[Span]:
        return [self._span(piece) for piece in pieces(said, shown)]

    def _span(self, piece: Piece) -> Span:
        if piece.doc_id is None:
            return Span(piece.text)
        shade_ = self.shades.get(piece.doc_id, UNJUDGED)
        return Span(resolved_piece(piece), shade_, self.targets.get(piece.doc_id, ""))


def _word_span(word: Word) -> Span:
    return Span(word.text, gain_shade(word.gain))


def _shown(stage: Sequence[AskTrace]) -> list[tuple[int, int]]:
    """Return the spans of ranks that a stage showed."""
    return spans(sorted({rank for ask in stage for rank in ask.ranks_before}))


def _said(window: AskTrace) -> str:
    """Return the answer as written, and its scores; there may be one without the other."""
    scores = scores_text(window)
    return "\n".join(filter(None, (window.answer, f"scores {scores}" if scores else "")))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
