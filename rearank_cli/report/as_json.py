"""The same views for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rearank_cli.report.context import Context
from rearank_cli.report.likely import likely_words, scores
from rearank_cli.report.reasoning import mentions, resolved
from rearank_cli.report.story import Story, journey, ranks
from rearank_cli.report.totals import Totals, is_flawed

Json = dict[str, Any]


def query_json(story: Story, context: Context, top: int | None, only: int | None) -> Json:
    """Return a query with its final hits and its windows, or the one window `only`."""
    old, scored = ranks(story.old), scores(story)
    hits = [
        {
            "rank": rank,
            "old_rank": old[doc_id],
            "doc_id": doc_id,
            **({"score": scored.get(doc_id)} if scored else {}),
            **_known(story, context, doc_id),
        }
        for rank, doc_id in enumerate(story.new[:top], 1)
    ]
    numbers = [only] if only else range(1, len(story.windows) + 1)
    windows = [_window(story, number) for number in numbers]
    return {"query_id": story.query_id, "query": story.text, "hits": hits, "windows": windows}


def _known(story: Story, context: Context, doc_id: str) -> Json:
    """Return judgement, title and text of a document; null where they are not known."""
    passage = context.passages.get(doc_id)
    return {
        "relevance": context.grade(story.query_id, doc_id),
        "title": passage.title if passage else None,
        "text": passage.text if passage else None,
    }


def _window(story: Story, number: int) -> Json:
    window = story.windows[number - 1]
    shown = window.before
    return {
        "window": number,
        "pass": window.pass_,
        "ranks": [min(window.ranks_before), max(window.ranks_before)],
        "kind": window.kind,
        "before": list(shown),
        "after": list(window.after),
        "scores": list(window.scores),
        "reasoning": window.reasoning,
        "resolved_reasoning": resolved(window.reasoning, shown),
        "answer": window.answer,
        "resolved_answer": resolved(window.answer, shown),
        "mentions": {
            doc_id: said for doc_id in shown if (said := mentions(window.reasoning, shown, doc_id))
        },
        "flaws": asdict(window.flaws),
        "finish_reason": window.finish_reason,
        "prompt_tokens": window.prompt_tokens,
        "completion_tokens": window.completion_tokens,
        "seconds": window.seconds,
        "cached": window.cached,
        "passage_chars": window.passage_chars,
        "shortened": window.shortened,
        **({"read": window.read} if window.read else {}),
    }


def document_json(story: Story, context: Context, doc_id: str, only: int | None) -> Json:
    """Return a document's way through the windows."""
    words = likely_words(story).get(doc_id, ())
    steps = [
        {
            "window": step.number,
            "pass": step.window.pass_,
            "identifier": step.identifier,
            "old_rank": step.old_rank,
            "new_rank": step.new_rank,
            "sentences": list(step.sentences),
        }
        for step in journey(story, doc_id)
        if only in (None, step.number)
    ]
    return {
        "query_id": story.query_id,
        "query": story.text,
        "doc_id": doc_id,
        **_known(story, context, doc_id),
        "old_rank": ranks(story.old)[doc_id],
        "new_rank": ranks(story.new)[doc_id],
        "windows": steps,
        **({"words": [word._asdict() for word in words]} if words else {}),
    }


def flawed_json(stories: Sequence[Story]) -> list[Json]:
    """Return the windows with flaws."""
    return [
        {"query_id": story.query_id, **_window(story, number)}
        for story in stories
        for number, window in enumerate(story.windows, 1)
        if is_flawed(window)
    ]


def totals_json(totals: Totals) -> Json:
    """Return the totals; ranks count from 1."""
    found = asdict(totals)
    found["places"] = [
        {
            "ranks": [place.first, place.last],
            "windows": place.windows,
            "flawed": place.flawed,
            "moved": place.moved,
        }
        for place in totals.places
    ]
    return found


def dump(content: Any) -> str:
    """Return JSON text; characters that no file can hold (lone surrogates) are escaped."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(content, indent=2, allow_nan=False)
    return text + "\n"
