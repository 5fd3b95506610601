"""`rearank explain`: what the model saw, thought and answered."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rearank_cli.cli import origins
from rearank_cli.cli.options import Corpus, Dataset, Qrels, Queries
from rearank_cli.errors import RearankError

if TYPE_CHECKING:  # rich and jinja2 stay out of --help
    from rich.console import RenderableType

    from rearank_cli.report.context import Context
    from rearank_cli.report.story import Story, Trace

EXAMPLES = """
Examples:

\b
  rearank explain runs/demo.rearank.trace.jsonl --query q01 -d demo
  rearank explain runs/demo.rearank.trace.jsonl --query q01 --window 2
  rearank explain runs/demo.rearank.trace.jsonl --query q01 --doc phys-006
  rearank explain runs/demo.rearank.trace.jsonl --flawed
  rearank explain runs/demo.rearank.trace.jsonl --summary --json
  rearank explain runs/demo.rearank.trec --provenance
"""


def command(
    context: typer.Context,
    trace: Annotated[
        str,
        typer.Argument(
            metavar="TRACE|RUN", help="Trace that rearank rerank wrote, or its run beside it."
        ),
    ],
    query: Annotated[
        str | None, typer.Option("--query", "-q", metavar="ID", help="The query to explain.")
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(metavar="N", help="Only this window; 1 is the first that ran, at the bottom."),
    ] = None,
    doc: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Follow one document through all windows."),
    ] = None,
    flawed: Annotated[bool, typer.Option("--flawed", help="List the windows with flaws.")] = False,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Totals by flaw and position, tokens, time, cache hits."),
    ] = False,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance", help="Show how a RUN was made, back to its first stage, as a tree."
        ),
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="Final hits to show.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead.")] = False,
    dataset: Dataset = None,
    corpus: Corpus = None,
    queries: Queries = None,
    qrels: Qrels = None,
) -> None:
    """Show what the model thought: a query's new order and the reasoning behind it.

    Windows come in the order they ran, bottom to top, with [k] resolved to doc ids. A collection
    (-d) adds the passages' texts and the judgements. Paged on a terminal.
    """
    from rearank_cli.report import as_json
    from rearank_cli.report.context import gather
    from rearank_cli.report.matching import check_queries
    from rearank_cli.report.story import load_trace
    from rearank_cli.report.terminal_lists import totals_view
    from rearank_cli.report.totals import total

    if provenance:
        _lineage(trace, json)
        return
    _check(query, window, doc, flawed, summary)
    trace = _trace_of(trace)
    loaded = load_trace(trace)
    if summary:
        totals = total(loaded)
        _put(as_json.totals_json(totals) if json else totals_view(totals), json)
        return
    if flawed:
        _flawed(loaded, query, json)
        return
    story = loaded.story(query)
    if window is not None and not 1 <= window <= len(story.windows):
        raise RearankError(
            f"--window: expected a number from 1 to {len(story.windows)}, found {window}"
        )
    source = origins.source_of_trace(
        context, trace, loaded.provenance, (dataset, corpus, queries, qrels)
    )
    collection = origins.opened(source, trace) if source else None
    shown = gather(collection, story.new)
    if collection:
        check_queries(loaded.name, [story], shown, collection.name)
    if json:
        _put(_as_json(story, shown, (window, doc, top)), json)
    else:
        _put(_view(story, shown, (window, doc, top)), json)


def _lineage(run: str, json: bool) -> None:
    """Write how a run was made."""
    from rearank_cli.formats.files import STDIO, write_text
    from rearank_cli.formats.lineage import lineage, tree
    from rearank_cli.report.as_json import dump

    if run == STDIO or not Path(run).is_file():
        raise RearankError(
            f"{run}: expected a run in a file", hint="its origin is beside it, as FILE.meta.yml"
        )
    found = lineage(run)
    with write_text(STDIO) as handle:
        if json:
            handle.write(dump(found.as_json()))
        else:
            handle.writelines(f"{line}\n" for line in tree(found))


def _trace_of(name: str) -> str:
    """Return the trace that is meant: the one beside a run, where a run is named."""
    from rearank_cli.cli.names import trace_beside

    return trace_beside(name) or name


def _check(
    query: str | None, window: int | None, doc: str | None, flawed: bool, summary: bool
) -> None:
    """Raise `RearankError` for options that do not go together."""
    if flawed and summary:
        raise RearankError("expected one of --flawed and --summary, found both")
    if (flawed or summary) and (window is not None or doc is not None):
        raise RearankError("--window and --doc belong to one query, not to --flawed or --summary")
    if summary and query is not None:
        raise RearankError("--summary is about all queries, found --query")


def _flawed(trace: "Trace", query: str | None, json: bool) -> None:
    from rearank_cli.report import as_json, terminal_lists

    stories = [trace.story(query)] if query is not None else list(trace.stories.values())
    _put(as_json.flawed_json(stories) if json else terminal_lists.flawed_view(stories), json)


_Part = tuple[int | None, str | None, int]
"""Which window, which document, how many hits."""


def _as_json(story: "Story", context: "Context", part: _Part) -> Any:
    from rearank_cli.report import as_json

    window, doc, top = part
    if doc is not None:
        return as_json.document_json(story, context, doc, window)
    return as_json.query_json(story, context, top, window)


def _view(story: "Story", context: "Context", part: _Part) -> "RenderableType":
    from rearank_cli.report import terminal

    window, doc, top = part
    if doc is not None:
        return terminal.document_view(story, context, doc, window)
    if window is not None:
        return terminal.window_view(story, context, window, table=True)
    return terminal.query_view(story, context, top)


def _put(content: Any, json: bool) -> None:
    """Write JSON, or text: through a pager on a terminal, plain elsewhere."""
    from rearank_cli.cli.paging import page, plain
    from rearank_cli.formats.files import STDIO, write_text
    from rearank_cli.report.as_json import dump

    if not json and sys.stdout.isatty():
        page(content)
        return
    with write_text(STDIO) as handle:
        handle.write(dump(content) if json else plain(content))
