"""Scores of single passages on the terminal, and the query's words that they made likely."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rearank_cli.report.likely import Word, helped, likely_words
from rearank_cli.report.reasoning import one_line
from rearank_cli.report.story import Story, ranks

WORDS = 4
CELLS = 16
"""The longest bar, in characters."""


def score_cell(score: float | None) -> Text:
    """Return a score as it stands in a table."""
    return Text("–" if score is None else f"{score:.3f}", style="dim" if score is None else "")


def likely_view(story: Story, shown: Sequence[str]) -> Iterator[RenderableType]:
    """Yield, for the passages `shown`, the words that each made likelier than the others did."""
    found = likely_words(story)
    if not found:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("document", overflow="fold")
    table.add_column("made likely, in nats above the mean over the passages")
    places = ranks(story.new)
    for doc_id in shown:
        words = helped(found.get(doc_id, ()), WORDS)
        told = ", ".join(f"{one_line(word.text)} {word.gain:+.1f}" for word in words)
        line = Text(told, style="green") if told else Text("no word", style="dim")
        table.add_row(str(places[doc_id]), Text(one_line(doc_id)), line)
    yield Padding(table, (0, 0, 1, 0))


def words_view(story: Story, doc_id: str) -> Iterator[RenderableType]:
    """Yield every word of the query after one passage, with a bar; nothing without tokens."""
    words = likely_words(story).get(doc_id, ())
    if not words:
        return
    longest = max(max(abs(word.gain) for word in words), 1.0)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("word", overflow="fold")
    table.add_column("log-probability", justify="right")
    table.add_column("gain", justify="right")
    table.add_column("against the mean over the passages")
    for word in words:
        gain = Text(f"{word.gain:+.2f}", style=_style(word))
        table.add_row(
            Text(one_line(word.text)), f"{word.logprob:.2f}", gain, _bar(word, CELLS / longest)
        )
    yield Padding(table, (1, 0, 0, 0))


def _bar(word: Word, cells: float) -> Text:
    """Return a bar to the left of the middle for a loss, to the right for a gain."""
    length = round(abs(word.gain) * cells)
    left = "█" * length if word.gain < 0 else ""
    right = "█" * length if word.gain > 0 else ""
    return Text(f"{left:>{CELLS}}│{right}", style=_style(word))


def _style(word: Word) -> str:
    return "green" if word.gain > 0 else "red" if word.gain < 0 else "dim"
