"""The page at /: a query and passages in, the new order and the reasoning out.

It is made of the report's parts. The form is sent as forms are, so that no script is needed; the
answer is a whole page, on which every text is escaped and no script but ours may run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from rearank_cli.records import Passage, Run
from rearank_cli.report.context import Context
from rearank_cli.report.html import asset, render_template
from rearank_cli.report.material import Material
from rearank_cli.report.page import QueryView
from rearank_cli.report.query_page import query_page
from rearank_cli.report.story import Trace, tell
from rearank_cli.serving.auth import Keys
from rearank_cli.serving.handling import Handling, while_there
from rearank_cli.serving.refusals import Refusal, unread
from rearank_cli.serving.retrieval import HITS
from rearank_cli.serving.service import QUERY, Done, Job, Service

HOME = "rearank_cli.serving"
_FIELDS = 8


@dataclass(frozen=True)
class Form:
    """What stands in the form; `collection` is whether its passages come from the collection."""

    query: str = ""
    passages: str = ""
    collection: bool = False
    key: str = ""

    def job(self) -> Job:
        """Return what is to be done: a passage begins after every empty line."""
        texts = [part for part in _blocks(self.passages) if part]
        return Job(self.query, [Passage(f"{n}", text) for n, text in enumerate(texts, 1)])


def _blocks(text: str) -> list[str]:
    """Return what is between empty lines; without any, each line."""
    lines = [line.strip() for line in text.splitlines()]
    if "" not in [line for line in lines[:-1]]:
        return lines
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [" ".join(block) for block in blocks]


def add_page(app: FastAPI, service: Service, handling: Handling, keys: Keys) -> None:
    """Add the page to the app."""

    def page(form: Form, done: Done | None = None, refusal: Refusal | None = None) -> HTMLResponse:
        status = refusal.status if refusal else HTTPStatus.OK
        content = render_template(
            "serve.html",
            asset("report.css") + asset("serve.css", HOME),
            asset("parts.js"),
            forms="'self'",
            package=HOME,
            form=form,
            view=view(done) if done else None,
            parts=PARTS,
            refusal=refusal,
            model=service.model,
            state=service.state,
            collection=service.searcher.name if service.searcher else "",
            keyed=bool(keys),
            by_rank=done.by_rank if done else True,
        )
        return HTMLResponse(content, int(status), _headers(refusal))

    @app.get("/", response_model=None, include_in_schema=False)
    async def empty() -> HTMLResponse:
        return page(Form(collection=service.searcher is not None))

    @app.post("/", response_model=None, include_in_schema=False)
    async def filled(request: Request) -> HTMLResponse:
        form = Form()

        async def answer() -> HTMLResponse:
            nonlocal form
            _check_origin(request.headers)
            form = read_form(await request.body())
            keys.check(f"Bearer {form.key}".encode())
            if form.collection:
                handling.asked("/", form.query, [])
                return page(form, await while_there(request, service.search(form.query, HITS)))
            job = form.job()
            handling.asked("/", job.query, [each.text for each in job.passages])
            return page(form, await while_there(request, service.rerank(job)))

        return await handling.handle("/", answer, lambda refusal: page(form, refusal=refusal))  # type: ignore[return-value]


PARTS: Mapping[str, Any] = {"names": ("before", "after"), "measures": ()}
"""What the report's parts ask of the page that they stand on."""


def view(done: Done) -> QueryView | None:
    """Return a query as the report shows it; None where a single passage left nothing to ask."""
    if not done.traces:
        return None
    names = [passage.doc_id for passage in done.job.passages]
    traces = [
        replace(
            trace,
            before=tuple(names[int(each)] for each in trace.before),
            after=tuple(names[int(each)] for each in trace.after),
            hits=tuple(names[int(each)] for each in trace.hits),
            moved={names[int(each)]: rank for each, rank in trace.moved.items()},
        )
        for trace in done.traces
    ]
    story = tell("the answer", traces)
    run = Run({QUERY: tuple(names[place] for place in done.order)}, {QUERY: done.scores})
    context = Context(passages=dict(zip(names, done.job.passages, strict=True)))
    material = Material({"after": run}, None, Trace("", {}, {QUERY: story}), context, None)
    return query_page(material, 1, QUERY)


def read_form(body: bytes) -> Form:
    """Return what a form was sent with; raise `Refusal` for what no form sends."""
    try:
        fields = parse_qs(body.decode("utf-8"), strict_parsing=bool(body), max_num_fields=_FIELDS)
    except ValueError:
        raise unread("expected the fields of the form, found other data") from None

    def value(name: str) -> str:
        return fields.get(name, [""])[0]

    return Form(value("query"), value("passages"), value("source") == "collection", value("key"))


def _check_origin(headers: Mapping[str, str]) -> None:
    """Raise `Refusal` (403) for a form on somebody else's page: a browser says where it was."""
    origin = headers.get("origin", "")
    if origin and urlsplit(origin).netloc != headers.get("host", ""):
        raise Refusal(HTTPStatus.FORBIDDEN, "expected the form of this server's own page")


def _headers(refusal: Refusal | None) -> dict[str, str]:
    found = dict(refusal.headers) if refusal else {}
    return {
        **found,
        "Cache-Control": "no-store",
        "Content-Security-Policy": "frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
