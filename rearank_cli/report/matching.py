"""Whether a trace belongs to the runs and the collection beside it; if not, what differs."""

from collections.abc import Callable, Collection, Iterable, Sequence

from rearank_cli.errors import RearankError
from rearank_cli.log import counted
from rearank_cli.records import Query, Ranking, Run
from rearank_cli.report.context import Context
from rearank_cli.report.material import HITS, Material, agrees, begins, ends
from rearank_cli.report.reasoning import one_line
from rearank_cli.report.story import Story, Trace
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.origin import input_digest

SHOWN = 3
TEXT_CHARS = 60
OTHER_COLLECTION = "name the collection that was reranked with `collection`, or its parts"
OTHER_RUN = "give the run that was written with this trace, or leave out `trace`"


def check_trace(material: Material, collection: str) -> None:
    """Raise `RearankError`, naming what differs, unless the trace is of these runs.

    Its queries and documents must be those of the collection as far as that was read, and one of
    the runs must end as the trace does. Where runs are compared, one must also be what was
    reranked: otherwise the page would tell of one old order and measure another.
    """
    trace = material.trace
    if trace is None:
        return
    check_queries(trace.name, trace.stories.values(), material.context, collection)
    _check_documents(trace, material.context, collection)
    runs = material.runs
    unknown = [
        query_id
        for query_id in trace.stories
        if not any(query_id in run.rankings for run in runs.values())
    ]
    if unknown:
        raise RearankError(
            f"{trace.name}: expected the trace of one of these runs, found queries that none of "
            f"them has ({_few(unknown)})",
            hint=OTHER_RUN,
        )
    if material.traced is None:
        what = "expected the trace of one of these runs, found another"
        raise _unlike(trace, runs.items(), ends, (what, "the trace"))
    if material.baseline is not None and material.reranked is None:
        what = "expected the order that was reranked among these runs, found none"
        raise _unlike(trace, runs.items(), begins, (what, "the trace's input"))


def check_queries(name: str, stories: Collection[Story], context: Context, place: str) -> None:
    """Raise `RearankError` where queries of a trace are not those of a collection.

    `name` is the trace's file and `place` the collection's name. Nothing is compared where the
    collection has no queries.
    """
    if not context.queries:
        return
    expected = f"{name}: expected a trace of {place or 'this collection'}, found"
    missing = [each.query_id for each in stories if each.query_id not in context.queries]
    if missing:
        verb = "query {}, which is" if len(missing) == 1 else "queries {}, which are"
        raise RearankError(
            f"{expected} {verb.format(_few(missing))} not in it", hint=OTHER_COLLECTION
        )
    other = [each for each in stories if context.queries[each.query_id] != _written(each.text)]
    if other:
        first = other[0]
        theirs = one_line(context.queries[first.query_id], TEXT_CHARS)
        raise RearankError(
            f"{expected} another query {first.query_id}: {one_line(first.text, TEXT_CHARS)!r} in "
            f"the trace, {theirs!r} in the collection ({_of(len(other), len(stories))})",
            hint=OTHER_COLLECTION,
        )


def _written(text: str) -> str:
    """Return a text as collections are read: what no file can hold is a question mark there."""
    return text.encode(errors="replace").decode()


def _check_documents(trace: Trace, context: Context, place: str) -> None:
    """Raise `RearankError` where documents of a trace are not in a collection that has some."""
    stories = trace.stories.values()
    shown = dict.fromkeys(doc_id for each in stories for doc_id in each.new[:HITS])
    lost = [doc_id for doc_id in shown if context.passages and doc_id not in context.passages]
    if lost:
        noun = "document that is" if len(lost) == 1 else "documents that are"
        raise RearankError(
            f"{trace.name}: expected a trace of {place or 'this collection'}, found {len(lost)} "
            f"{noun} not in it ({_few(lost)})",
            hint=OTHER_COLLECTION,
        )


def _unlike(
    trace: Trace,
    runs: Iterable[tuple[str, Run]],
    part: Callable[[Story], Ranking],
    words: tuple[str, str],
) -> RearankError:
    """Return the error that names the run that is most like the trace, and where it differs."""
    what, where = words
    found = [(_differing(trace, run, part), label, run) for label, run in runs]
    differing, label, run = min(found, key=lambda each: len(each[0]))
    story = differing[0]
    ours, theirs = part(story), run.rankings.get(story.query_id, ())
    pairs = zip(ours, theirs, strict=False)
    rank = next((at for at, (one, two) in enumerate(pairs) if one != two), 0)
    place = f"query {story.query_id} has {ours[rank]} at rank {rank + 1} in {where}"
    other = f"{theirs[rank]} in {label}" if theirs else f"and is not in {label}"
    return RearankError(
        f"{trace.name}: {what}: {place}, {other} ({_of(len(differing), len(trace.stories))})",
        hint=OTHER_RUN,
    )


def _differing(trace: Trace, run: Run, part: Callable[[Story], Ranking]) -> list[Story]:
    return [story for story in trace.stories.values() if not agrees(run, story, part)]


def input_fact(material: Material) -> str:
    """Say whether the digest of the trace's input is that of the run that was reranked.

    Empty where one of the two cannot be known. Hits below the reranked depth count as well.
    """
    trace, label = material.trace, material.reranked
    noted = trace.provenance.get("input_sha256") if trace else None
    if trace is None or label is None or not noted:
        return ""
    run, texts = material.runs[label], material.context.queries
    if not all(query_id in texts for query_id in run.rankings):
        return ""
    # A trace may be of some of a run's queries (--shard).
    tried = (list(run.rankings), [each for each in run.rankings if each in trace.stories])
    found = {_digest(run, texts.__getitem__, each) for each in tried}
    if noted in found:
        return f"input_sha256 is that of {label}"
    return f"input_sha256 is not that of {label}: other hits below the depth, or other queries"


def _digest(run: Run, text: Callable[[str], str], query_ids: Sequence[str]) -> str:
    return input_digest(
        [Candidates(Query(each, text(each)), run.rankings[each], {}) for each in query_ids]
    )


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")


def _of(differing: int, count: int) -> str:
    return f"{differing} of {counted(count, 'query')} differ{'s' if differing == 1 else ''}"
