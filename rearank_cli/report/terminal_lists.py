"""A whole trace on the terminal: its totals, and its windows with flaws."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rearank_cli.log import counted
from rearank_cli.report.reasoning import one_line
from rearank_cli.report.story import Story
from rearank_cli.report.totals import Totals, flaw_texts, is_flawed


def totals_view(totals: Totals) -> RenderableType:
    """Return totals by flaw and by position, tokens, time and cache hits."""
    return Group(_facts(totals), _flaws(totals), _places(totals))


def _facts(totals: Totals) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(style="dim")
    windows = max(totals.windows, 1)
    table.add_row("queries", f"{totals.queries:,}", "")
    table.add_row("windows", f"{totals.windows:,}", "")
    share = f"{100 * totals.flawed / windows:.1f}% of the windows"
    table.add_row("with flaws", f"{totals.flawed:,}", share if totals.flawed else "")
    table.add_row("from the cache", f"{totals.cached:,}", f"{totals.asked:,} asked")
    table.add_row("passages shortened", f"{totals.shortened:,}", "windows")
    table.add_row(
        "prompt tokens", f"{totals.prompt_tokens:,}", f"{totals.prompt_tokens / windows:,.0f} each"
    )
    table.add_row(
        "completion tokens",
        f"{totals.completion_tokens:,}",
        f"{totals.completion_tokens / windows:,.0f} each",
    )
    each = f"{totals.seconds / totals.asked:.1f} s per window asked" if totals.asked else ""
    table.add_row("seconds, added up", f"{totals.seconds:,.1f}", each)
    return table


def _flaws(totals: Totals) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("flaw")
    table.add_column("windows", justify="right")
    for name, count in totals.flaws.items():
        table.add_row(name.replace("_", " "), Text(str(count), style="red" if count else "dim"))
    return table


def _places(totals: Totals) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("ranks", "windows", "flawed", "passages moved"):
        table.add_column(name, justify="right")
    for place in totals.places:
        table.add_row(
            place.ranks,
            str(place.windows),
            Text(str(place.flawed), style="red" if place.flawed else "dim"),
            f"{place.moved / place.windows:.1f} each",
        )
    return table


def flawed_view(stories: Sequence[Story]) -> RenderableType:
    """Return a list of the windows whose answers had flaws."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("query", "window", "ranks", "flaws", "finish"):
        table.add_column(name, overflow="fold")
    count = 0
    for story in stories:
        for number, window in enumerate(story.windows, 1):
            if is_flawed(window):
                count += 1
                flaws = Text(", ".join(flaw_texts(window)), style="red")
                cells = (one_line(story.query_id), str(number), window.ranks)
                table.add_row(*map(Text, cells), flaws, Text(one_line(window.finish_reason)))
    windows = sum(len(story.windows) for story in stories)
    line = Text(f"{count} of {counted(windows, 'window')} with flaws", style="dim")
    return Group(table, line) if count else line
