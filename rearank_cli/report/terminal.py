"""Explaining one query on the terminal. Every text of the trace or the collection is untrusted."""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rearank_cli.log import counted
from rearank_cli.report.context import Context
from rearank_cli.report.likely import is_singly, scores
from rearank_cli.report.reasoning import (
    KEPT,
    Piece,
    one_line,
    pieces,
    resolved_piece,
    visible,
)
from rearank_cli.report.story import Step, Story, journey, ranks
from rearank_cli.report.terminal_likely import likely_view, score_cell, words_view
from rearank_cli.report.totals import asides, flaw_texts, is_flawed, scores_text
from rearank_cli.reranking.trace import AskTrace

PASSAGE_CHARS = 160
SHADES = ("dim", "green", "green", "bold green")
UP, DOWN, SAME = "▲", "▼", "="


def query_view(story: Story, context: Context, top: int) -> RenderableType:
    """Return the query, the final top `top` with where each came from, and every window.

    Where every passage was asked about alone, their scores and what they made likely stand in place
    of the windows.
    """
    parts: list[RenderableType] = [_heading(story), _top_table(story, context, top)]
    if is_singly(story):
        return Group(*parts, *likely_view(story, story.new[:top]))
    for number in range(1, len(story.windows) + 1):
        parts.append(window_view(story, context, number))
    return Group(*parts)


def _heading(story: Story) -> RenderableType:
    flawed = sum(map(is_flawed, story.windows))
    facts = f"{len(story.new)} hits in {counted(len(story.windows), 'window')}"
    line = Text(facts, style="dim")
    if flawed:
        line.append(f", {flawed} with flaws", style="red")
    title = Text.assemble(
        (one_line(story.query_id), "bold cyan"), "  ", (one_line(story.text), "bold")
    )
    return Group(title, line)


def _top_table(story: Story, context: Context, top: int) -> Table:
    judged, shown = bool(context.judgements.get(story.query_id)), bool(context.passages)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("was", justify="left", no_wrap=True)
    if judged:
        table.add_column("rel", justify="right")
    table.add_column("document", overflow="fold")
    scored = scores(story)
    if scored:
        table.add_column("score", justify="right", no_wrap=True)
    if shown:
        table.add_column("passage")
    old = ranks(story.old)
    for rank, doc_id in enumerate(story.new[:top], 1):
        grade = context.grade(story.query_id, doc_id)
        cells = [Text(str(rank)), moved(old[doc_id], rank)]
        if judged:
            cells.append(grade_text(grade))
        cells.append(Text(one_line(doc_id), style=shade(grade)))
        if scored:
            cells.append(score_cell(scored.get(doc_id)))
        if shown:
            cells.append(_passage(context, doc_id))
        table.add_row(*cells)
    return table


def _passage(context: Context, doc_id: str) -> Text:
    title = context.title(doc_id)
    text = Text(title, style="italic")
    room = PASSAGE_CHARS - len(title)
    between = "" if not title else " " if title.endswith((".", "?", "!", "…")) else ". "
    return text.append(between + context.text(doc_id, max(room, 20)), style="not italic")


def moved(old: int, new: int) -> Text:
    """Return where a passage came from: ▲ 7 rose from rank 7, ▼ 2 fell from rank 2."""
    if old == new:
        return Text(f"{SAME} {old}", style="dim")
    return Text(f"{UP} {old}", style="green") if new < old else Text(f"{DOWN} {old}", style="red")


def shade(grade: int | None) -> str:
    """Return the style of a document by its judgement; unjudged ones keep the terminal's own."""
    if grade is None:
        return ""
    return SHADES[min(max(grade, 0), len(SHADES) - 1)]


def grade_text(grade: int | None) -> Text:
    """Return a judgement, `–` where there is none."""
    return Text("–", style="dim") if grade is None else Text(str(grade), style=shade(grade))


def window_view(story: Story, context: Context, number: int, table: bool = False) -> RenderableType:
    """Return one window: its place, the reasoning and the answer with doc ids, and its flaws.

    With `table` also every passage of the window with its old and new rank.
    """
    window = story.windows[number - 1]
    parts: list[RenderableType] = [_rule(story, number)]
    if table:
        parts.append(_window_table(story, context, window))
    if window.reasoning:
        parts.append(Padding(_annotated(story, context, window, window.reasoning), (0, 2)))
    parts += _said(story, context, window)
    flaws = flaw_texts(window)
    if flaws:
        parts.append(Padding(Text("flaws   " + ", ".join(flaws), style="bold red"), (0, 2)))
    return Group(Text(""), *parts)


def _said(story: Story, context: Context, window: AskTrace) -> Iterator[RenderableType]:
    """Yield the answer as written, and its scores; there may be one without the other."""
    scores = scores_text(window)
    if window.answer:
        answer = Text("answer  ", style="bold")
        answer.append_text(_annotated(story, context, window, window.answer))
        yield Padding(answer, (1, 2, 0, 2))
    elif not scores:
        none = Text.assemble(("answer  ", "bold"), ("none; the old order stays", "red"))
        yield Padding(none, (1, 2, 0, 2))
    if scores:
        told = Text("scores  ", style="bold")
        told.append_text(_annotated(story, context, window, scores))
        yield Padding(told, (0 if window.answer else 1, 2, 0, 2))


def _rule(story: Story, number: int) -> Rule:
    window = story.windows[number - 1]
    passes = f" (pass {window.pass_})" if story.windows[-1].pass_ > 1 else ""
    place = f"window {number} of {len(story.windows)}{passes}: ranks {window.ranks}"
    cost = f"{window.prompt_tokens:,} + {window.completion_tokens:,} tokens"
    time = "cached" if window.cached else f"{window.seconds:.1f} s"
    title = Text.assemble((place, "bold"), (f"  {cost}, {time}", "dim"))
    for aside in asides(window):
        title.append(f", {aside}", style="yellow")
    return Rule(title, align="left", style="red" if is_flawed(window) else "cyan")


def _window_table(story: Story, context: Context, window: AskTrace) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, side in (("rank", "right"), ("was", "left"), ("id", "right"), ("rel", "right")):
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    table.add_column("document", overflow="fold")
    if context.passages:
        table.add_column("passage")
    for doc_id in window.after:
        index = window.before.index(doc_id)
        grade = context.grade(story.query_id, doc_id)
        rank, was = window.ranks_after[index], window.ranks_before[index]
        cells = [Text(str(rank)), moved(was, rank), Text(f"[{index + 1}]")]
        cells += [grade_text(grade), Text(one_line(doc_id), style=shade(grade))]
        table.add_row(*cells, *([_passage(context, doc_id)] if context.passages else []))
    return table


def _annotated(story: Story, context: Context, window: AskTrace, said: str) -> Text:
    """Return text with its identifiers resolved to doc ids, coloured by judgement."""
    text = Text()
    for piece in pieces(visible(said), window.before):
        style = ""
        if piece.doc_id is not None:
            style = _mention_style(context.is_relevant(story.query_id, piece.doc_id))
            piece = Piece(piece.text, one_line(piece.doc_id))
            shown = resolved_piece(piece).replace(" ", KEPT)
        else:
            shown = piece.text
        text.append(shown, style=style)
    return text


def _mention_style(relevant: bool) -> str:
    return "bold green" if relevant else "bold cyan"


def _judged(context: Context, query_id: str, doc_id: str) -> str:
    if context.judgements.is_excluded(query_id, doc_id):
        return "excluded"
    grade = context.grade(query_id, doc_id)
    return "not judged" if grade is None else f"relevance {grade}"


def document_view(story: Story, context: Context, doc_id: str, only: int | None) -> RenderableType:
    """Return a document's way through the windows, with every sentence that names it.

    `only` keeps one window. Raises `RearankError` for a document that no window showed.
    """
    steps = journey(story, doc_id)
    grade = context.grade(story.query_id, doc_id)
    head = Text.assemble((one_line(doc_id), "bold"), "  ")
    if context.judgements.get(story.query_id):
        head.append(_judged(context, story.query_id, doc_id), style=shade(grade))
    parts: list[RenderableType] = [_heading(story), Text(""), head]
    if doc_id in context.passages:
        parts.append(_passage(context, doc_id))
    rank = ranks(story.old)[doc_id], ranks(story.new)[doc_id]
    parts.append(Text(f"rank {rank[0]} before, {rank[1]} after"))
    for step in steps:
        if only in (None, step.number):
            parts += _step(story, context, step)
    parts += words_view(story, doc_id)
    return Group(*parts)


def _step(story: Story, context: Context, step: Step) -> Iterator[RenderableType]:
    yield Text("")
    yield _rule(story, step.number)
    line = Text(f"shown as [{step.identifier}], rank {step.new_rank}  ")
    yield Padding(line.append_text(moved(step.old_rank, step.new_rank)), (0, 2))
    for sentence in step.sentences:
        yield Padding(_annotated(story, context, step.window, "“" + sentence + "”"), (0, 4))
    if not step.sentences and step.window.reasoning:
        yield Padding(Text("the reasoning does not name it", style="dim"), (0, 4))
